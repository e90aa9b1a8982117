// What a fresh clone relies on: a lock file that any npm and Node 20 can install from, a set-up that builds exactly what
// is there, a test runner whose exit code is right, and a start that Ctrl-C ends cleanly.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly engines?: { readonly node?: string };
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const lockText = readFileSync(join(root, 'package-lock.json'), 'utf8');
const locked = (JSON.parse(lockText) as { packages: Record<string, LockedPackage> }).packages;
const nodeMajor = 20;
const folders: string[] = [];

after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Whether some Node of the major version satisfies the range; enough for the ranges that packages write. */
function accepts(range: string, major: number): boolean {
  return range.split('||').some((alternative) =>
    [...alternative.matchAll(/(>=|<=|>|<|\^|~|=)?\s*v?(\d+|\*|x)(?:\.[\dx*]+)*/g)].every(
      ([, sign = '=', number]) => {
        if (number === '*' || number === 'x') return true;
        if (sign === '>=' || sign === '>') return major >= Number(number);
        if (sign === '<=') return major <= Number(number);
        return sign === '<' ? major < Number(number) : major === Number(number);
      },
    ),
  );
}

/** A small project with this one's set-up, in a folder of its own. */
function smallProject(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-house-'));
  folders.push(folder);
  for (const name of ['.ci', 'package.json', 'package-lock.json', 'tsconfig.json', 'runtime/package.json']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const [path, text] of Object.entries(files)) write(folder, path, text);
  return folder;
}

function write(folder: string, path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/** Without what the runner above us tells its children, else a runner below would think itself a test. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _context, NODE_OPTIONS: _options, ...rest } = process.env;
  return rest;
}

function runScript(folder: string, ...args: string[]): { code: number | null; output: string } {
  const result = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
    env: cleanEnvironment(),
  });
  return { code: result.status, output: result.stdout + result.stderr };
}

describe('the lock file', () => {
  test('names no registry', () => {
    const named = Object.entries(locked).filter(([, { resolved }]) => resolved !== undefined);
    assert.deepEqual(named, []);
  });

  test('knows every package that another may want, for each platform', () => {
    const names = new Set(Object.keys(locked).map((path) => path.replace(/^.*node_modules\//, '')));
    const missing = Object.values(locked)
      .flatMap(({ dependencies, optionalDependencies }) =>
        Object.keys({ ...dependencies, ...optionalDependencies }),
      )
      .filter((name) => !names.has(name));
    assert.deepEqual(missing, []);
  });

  test('holds nothing that Node 20 can not run', () => {
    assert.equal(accepts('>=22', nodeMajor), false);
    assert.equal(accepts('^18.17.0 || ^20.3.0 || >=21', nodeMajor), true);
    const refusing = Object.entries(locked).filter(
      ([, { engines }]) => !accepts(engines?.node ?? '*', nodeMajor),
    );
    assert.deepEqual(refusing, []);
  });
});

describe('the set-up', () => {
  const build = (folder: string): ReturnType<typeof runScript> =>
    runScript(folder, '.ci/setup.mjs', '--build-only');

  test('builds what is there, again when it changed, and leaves nothing of what is gone', () => {
    const folder = smallProject({
      'proto/a.ts': 'export const a = 1;\n',
      'proto/b.proto': 'syntax = "proto3";\n',
    });
    write(folder, 'test/gone.test.ts', 'export const b = 2;\n');
    assert.deepEqual(build(folder), { code: 0, output: 'setup: building\n' });
    assert.ok(existsSync(join(folder, 'dist/proto/a.js')) && existsSync(join(folder, 'dist/proto/b.proto')));
    assert.deepEqual(build(folder), { code: 0, output: '' });

    rmSync(join(folder, 'test/gone.test.ts'));
    write(folder, 'proto/a.ts', 'export const a = 12345;\n');
    assert.equal(build(folder).code, 0);
    assert.match(readFileSync(join(folder, 'dist/proto/a.js'), 'utf8'), /12345/);
    assert.equal(existsSync(join(folder, 'dist/test/gone.test.js')), false);

    rmSync(join(folder, 'dist/proto/a.js'));
    assert.equal(build(folder).code, 0);
    assert.ok(existsSync(join(folder, 'dist/proto/a.js')));
  });

  test('says where the build failed, every time until it is mended', () => {
    const folder = smallProject({ 'proto/a.ts': 'export const a: string = 1;\n' });
    for (let time = 0; time < 2; time += 1) {
      const { code, output } = build(folder);
      assert.notEqual(code, 0);
      assert.match(output, /proto\/a\.ts\(1,14\)/);
    }
  });
});

describe('the test runner', () => {
  const passing = "require('node:test').test('fine', () => {});\n";
  const failing = "require('node:test').test('wrong', () => { throw new Error('planned'); });\n";

  function projectWithTests(tests: Record<string, string>): string {
    const folder = smallProject({ 'dist/package.json': '{"type":"commonjs"}' });
    for (const [path, text] of Object.entries(tests)) {
      write(folder, `dist/test/${path}.test.js`, text);
      write(folder, `test/${path}.test.ts`, '');
    }
    return folder;
  }

  test('passes, fails, chooses files, and counts those that run alone', () => {
    const folder = projectWithTests({
      good: passing,
      'post/bad': failing,
      'processes/deadline': passing,
    });
    write(folder, 'dist/test/orphan.test.js', failing);
    const all = runScript(folder, '.ci/test.mjs');
    assert.equal(all.code, 1);
    assert.match(all.output, /tests 3\n.*suites 0\n.*pass 2\n.*fail 1\n/);
    const chosen = runScript(folder, '.ci/test.mjs', 'good', 'deadline');
    assert.equal(chosen.code, 0);
    assert.match(chosen.output, /tests 2\n/);
    assert.equal(runScript(folder, '.ci/test.mjs', 'test/post/bad.test.ts').code, 1);
  });

  test('no test is no success', () => {
    const folder = projectWithTests({ good: passing });
    assert.equal(runScript(folder, '.ci/test.mjs', 'nowhere').code, 1);
    assert.equal(runScript(folder, '.ci/test.mjs', '--nonsense').code, 2);
  });
});

describe('npm start', () => {
  // Like the real one it takes a moment to drain, and hears the signal twice: from the terminal and from npm.
  const serving = [
    'const keep = setInterval(() => undefined, 1000);',
    "process.on('SIGINT', () => setTimeout(() => clearInterval(keep), 300));",
    "process.stdout.write('serving ' + process.argv.slice(2).join(' ') + '\\n');",
  ].join('\n');

  function output(child: ChildProcess, words: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      let text = '';
      const read = (piece: Buffer): void => {
        text += piece.toString();
        if (words.test(text)) resolve(text);
      };
      child.stdout?.on('data', read);
      child.stderr?.on('data', read);
      child.once('error', reject);
      child.once('close', () => reject(new Error(`ended before it said ${words}: ${text}`)));
    });
  }

  test('hands its flags to the node, and ends with 0 on Ctrl-C', async (context) => {
    const stamp = join(root, 'node_modules/.signalbox-installed');
    const digest = createHash('sha256').update(lockText).digest('hex');
    if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== digest) {
      context.skip('the packages here were not installed by the set-up; `npm test` does');
      return;
    }
    const folder = smallProject({ 'runtime/main.ts': `${serving}\n` });
    const child = spawn('npm', ['start', '--', '--role', 'router'], {
      cwd: folder,
      detached: true,
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      child.once('exit', (code, signal) => resolve([code, signal]));
    });
    assert.match(await output(child, /^serving .*$/m), /serving --role router/);
    // A terminal sends the signal to the whole group; npm passes it on besides.
    process.kill(-(child.pid ?? Number.NaN), 'SIGINT');
    assert.deepEqual(await ended, [0, null]);
  });
});
