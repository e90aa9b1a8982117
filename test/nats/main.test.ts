// `npm run nats` leaves nothing behind, whichever way it ends.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Scratch } from '../processes/harness.js';
import { executable, skip } from './at-hand.js';
import { freePort } from './server.js';

const main = fileURLToPath(new URL('main.js', import.meta.url));

describe('NATS at hand', { skip }, () => {
  const scratch = new Scratch();
  after(() => scratch.remove());

  async function left(end: (child: ChildProcess) => void): Promise<string[]> {
    const folder = mkdtempSync(scratch.path('nats-'));
    const child = spawn(process.execPath, [main, '--port', String(await freePort())], {
      env: { ...process.env, TMPDIR: folder, NATS_SERVER: executable },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(child, 'exit');
    end(child);
    await ended;
    return readdirSync(folder);
  }

  test('it is told to end', async () => {
    assert.deepEqual(await left((child) => child.stdout?.once('data', () => child.kill('SIGTERM'))), []);
  });

  test('nobody reads any more what it says', async () => {
    assert.deepEqual(await left((child) => child.stdout?.destroy()), []);
  });
});
