// A folder is made with all above it, or who wants it hears which can't be had and why.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeFolder, makeFolderNow } from '../../runtime/folder.js';

const ways = [
  makeFolder,
  async (folder: string, mode?: number): Promise<void> => makeFolderNow(folder, mode),
];

for (const make of ways) {
  describe(`a folder that is made ${make === makeFolder ? 'while others go on' : 'at once'}`, () => {
    const root = mkdtempSync(join(tmpdir(), 'folder-'));
    after(() => rmSync(root, { recursive: true, force: true }));

    test('comes with all above it, which keep what they are', async () => {
      const folder = join(root, 'one', 'two');
      await make(folder, 0o700);
      assert.deepEqual(
        [statSync(folder).mode & 0o777, statSync(join(root, 'one')).mode & 0o777],
        [0o700, 0o700],
      );
      await make(folder, 0o755);
      assert.equal(statSync(folder).mode & 0o777, 0o700);
    });

    test('is not made below a file', async () => {
      writeFileSync(join(root, 'file'), '');
      const told = { code: 'EEXIST', message: /below can't be made: \S+file is no folder; name another$/ };
      await assert.rejects(make(join(root, 'file', 'below')), told);
      await assert.rejects(make(join(root, 'file')), { code: 'EEXIST' });
    });
  });
}

// In a process of its own: who tries for ever can't be told to stop.
test('below /proc it is refused by name', { skip: process.platform !== 'linux' }, async () => {
  const url = new URL('../../runtime/folder.js', import.meta.url);
  const main = fileURLToPath(new URL('../../runtime/main.js', import.meta.url));
  const program = `import { makeFolder } from '${url.href}'; await makeFolder('/proc/x/y').catch((fault) => console.log(fault.message));`;
  const run = promisify(execFile);
  const options = { timeout: 30_000 };
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], options);
  assert.match(
    stdout,
    /^the folder \/proc\/x\/y can't be made: the system lets nothing be made in \/proc; name another$/m,
  );
  const command = run(process.execPath, [main, 'keys', 'new', '--out', '/proc/x'], options);
  await assert.rejects(command, (fault: { stderr: string }) =>
    /the folder \/proc\/x can't be made/.test(fault.stderr),
  );
});
