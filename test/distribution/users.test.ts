// Who counts as a user of a content in a cache folder: a process that lives, or one elsewhere that is not silent.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Users } from '../../runtime/distribution/users.js';
import { Scratch, until } from '../processes/harness.js';

const scratch = new Scratch();
const opened: Users[] = [];
after(() => {
  for (const users of opened) users.close();
  scratch.remove();
});

const times = { renewMs: 20, silentCount: 5 };
const content = 'abc.digits';

function usersIn(folder: string): Users {
  const users = new Users(folder, times);
  opened.push(users);
  return users;
}

/** How often those in the folder have written. */
async function renewed(folder: string, id: string, count: number): Promise<void> {
  const at = (): bigint => statSync(join(folder, id, '.holder'), { bigint: true }).mtimeNs;
  for (let times = 0; times < count; times++) {
    const before = at();
    await until('it is written again', () => at() !== before);
  }
}

test('of two that use it each does until it says that it does no more', () => {
  const folder = scratch.path('two');
  const [one, other] = [usersIn(folder), usersIn(folder)];
  one.begin(content);
  other.begin(content);
  one.end(content);
  assert.ok(one.has(content));
  assert.equal(one.has('abc.letters'), false);
  other.end(content);
  assert.equal(one.has(content), false);
  other.begin(content);
  other.close();
  assert.equal(one.has(content), false);
});

test('a process that is killed uses nothing any more, and what it left goes', {
  skip: process.platform === 'linux' ? false : 'only Linux tells at once who is gone',
}, async () => {
  const folder = scratch.path('killed');
  const source = new URL('../../runtime/distribution/users.js', import.meta.url).href;
  const program = `
    import { Users } from '${source}';
    new Users(${JSON.stringify(folder)}).begin('${content}');
    process.stdout.write('begun');
    process.stdin.resume();
  `;
  const started = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(started.stdout, 'data');
  const users = usersIn(folder);
  users.begin('other');
  assert.ok(users.has(content));
  process.kill(started.pid as number, 'SIGSTOP');
  const [own = ''] = readdirSync(folder).filter((id) => readdirSync(join(folder, id)).includes('other'));
  await renewed(folder, own, 3 * times.silentCount);
  assert.ok(users.has(content), 'who stands still lives');
  const ended = once(started, 'exit');
  started.kill('SIGKILL');
  await ended;
  assert.equal(users.has(content), false);
  await until('nothing of it is left', () => readdirSync(folder).join() === own);
});

test('one elsewhere uses it until it has been silent for long', async () => {
  const folder = scratch.path('elsewhere');
  const holder = join(folder, 'other', '.holder');
  mkdirSync(join(folder, 'other'), { recursive: true });
  writeFileSync(holder, 'another machine 7\n');
  writeFileSync(join(folder, 'other', content), '');
  const users = usersIn(folder);
  users.begin('more');
  const [own = ''] = readdirSync(folder).filter((id) => id !== 'other');
  let at = 0;
  const writing = setInterval(() => utimesSync(holder, ++at, at), 1);
  for (let looks = 0; looks < 3; looks++) {
    assert.ok(users.has(content));
    await renewed(folder, own, times.silentCount);
  }
  assert.ok(users.has(content));
  clearInterval(writing);
  await until('it is silent', () => !users.has(content));
  await until('what it left is gone', () => readdirSync(folder).join() === own);
});

test('who could not write it does so later, also after all was taken away', async () => {
  const folder = scratch.path('late');
  writeFileSync(folder, '');
  const [one, other] = [usersIn(folder), usersIn(folder)];
  one.begin(content);
  rmSync(folder);
  await until('it is written', () => other.has(content));
  rmSync(folder, { recursive: true });
  assert.equal(other.has(content), false);
  await until('it is written again', () => other.has(content));
});
