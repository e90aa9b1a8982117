// Who holds a claim is killed, again and again, while many wait to take it over: at no time two of them have it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const racers = 24;
const folder = mkdtempSync(join(tmpdir(), 'claim-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const claim = new URL('../../runtime/distribution/claim.js', import.meta.url).href;
/** It dies with the claim; while it has it, it alone can make the file. */
const program = `
  import { mkdirSync, rmdirSync } from 'node:fs';
  import { Claim } from '${claim}';
  process.stdout.write('ready');
  process.stdin.once('data', async () => {
    await Claim.on(${JSON.stringify(folder)}, async () => false, { renewMs: 1000, silentMs: 600_000, lookMs: 0 });
    const inside = ${JSON.stringify(join(folder, 'inside'))};
    try {
      mkdirSync(inside);
    } catch {
      process.exit(3);
    }
    setTimeout(() => {
      rmdirSync(inside);
      process.kill(process.pid, 'SIGKILL');
    }, 5);
  });
`;

test('the claim of who died is taken over by one of many', {
  skip: process.platform === 'linux' ? false : 'only Linux tells whether it is of this machine',
  timeout: 120_000,
}, async () => {
  const started = Array.from({ length: racers }, () =>
    spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  );
  const ended = started.map((racer) => once(racer, 'exit'));
  await Promise.all(started.map((racer) => once(racer.stdout, 'data')));
  for (const racer of started) racer.stdin.write('go');
  const codes = (await Promise.all(ended)).map(([code, signal]) => signal ?? code);
  assert.deepEqual(
    codes.filter((code) => code !== 'SIGKILL'),
    [],
    'each had it alone',
  );
  assert.deepEqual(readdirSync(folder), ['.fetching'], 'nothing else is left behind');
});
