// Makes a checkout ready to run: installs the packages when the lock file has changed and builds when a
// source has, so that `npm start` and `npm test` work alone on a fresh clone. Plain JavaScript, no packages.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const installStamp = join(root, 'node_modules', '.signalbox-installed');
const buildStamp = join(root, 'dist', '.signalbox-built');
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const rooms = ['proto', 'actors', 'cluster', 'runtime', 'test', 'examples'];
const nodeMajorMin = 20;
const copied = /\.(proto|html|css|svg)$/;
const emitted = /\.(js|d\.ts|js\.map)$/;

function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

function stop(line, code = 1) {
  say(line);
  process.exit(code);
}

function read(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function listFiles(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : listFiles(path);
    return [path];
  });
}

function lockDigest() {
  return createHash('sha256')
    .update(read(join(root, 'package-lock.json')))
    .digest('hex');
}

/** Runs npm by the very copy of it that called us, so that a machine with several versions stays with one. */
function runNpm(args) {
  const caller = process.env.npm_execpath ?? '';
  const byPath = /npm-cli\.js$/.test(caller);
  const command = byPath ? process.execPath : 'npm';
  return spawnSync(command, byPath ? [caller, ...args] : args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: !byPath && process.platform === 'win32',
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: process.env.ONNXRUNTIME_NODE_INSTALL ?? 'skip' },
  });
}

function install() {
  const digest = lockDigest();
  if (read(installStamp) === digest) return;
  say('installing packages');
  rmSync(installStamp, { force: true });
  // Every package here carries its binaries; their install scripts only download or compile what is not needed.
  const result = runNpm([
    'ci',
    '--ignore-scripts',
    '--include=dev',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]);
  if (result.status !== 0) {
    stop('npm ci failed (its reason is above). Is the npm registry in reach?', result.status ?? 1);
  }
  writeFileSync(installStamp, digest);
}

function isSource(path) {
  return (path.endsWith('.ts') && !path.endsWith('.d.ts')) || copied.test(path);
}

/** What the build depends on, as text: any change of a path, a size or a time changes it. */
function describeSources(sources) {
  const paths = [...sources, 'tsconfig.json', 'package.json', '.ci/setup.mjs'];
  return paths
    .map((path) => {
      const { mtimeMs, size } = statSync(join(root, path));
      return `${path} ${size} ${mtimeMs}`;
    })
    .join('\n');
}

function outputsOf(source) {
  if (!source.endsWith('.ts')) return [`dist/${source}`];
  const stem = `dist/${source.slice(0, -'.ts'.length)}`;
  return [`${stem}.js`, `${stem}.js.map`, `${stem}.d.ts`];
}

function removeOrphans(sources) {
  const wanted = new Set(sources.flatMap(outputsOf));
  for (const path of listFiles('dist')) {
    if ((emitted.test(path) || copied.test(path)) && !wanted.has(path)) rmSync(join(root, path));
  }
}

function copyAssets(sources) {
  for (const path of sources.filter((source) => copied.test(source))) {
    mkdirSync(join(root, 'dist', dirname(path)), { recursive: true });
    copyFileSync(join(root, path), join(root, 'dist', path));
  }
}

function build() {
  const sources = rooms.flatMap(listFiles).filter(isSource).sort();
  const description = describeSources(sources);
  const complete = sources.every((source) => existsSync(join(root, outputsOf(source)[0])));
  if (complete && read(buildStamp) === description) return;
  if (!existsSync(compiler)) {
    const known = process.env.npm_lifecycle_event === 'prepare';
    stop(
      'TypeScript is not installed, so nothing was built; `npm ci --include=dev` brings it',
      known ? 0 : 1,
    );
  }
  say('building');
  rmSync(buildStamp, { force: true });
  removeOrphans(sources);
  copyAssets(sources);
  const result = spawnSync(process.execPath, [compiler, '--project', root], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (result.status !== 0) stop('the build failed: see the lines above', result.status ?? 1);
  writeFileSync(buildStamp, description);
}

function main(flags) {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < nodeMajorMin) {
    stop(`Node ${process.versions.node} is too old: Signalbox needs Node ${nodeMajorMin} or newer`);
  }
  if (process.env.npm_lifecycle_event === 'prepare') {
    // npm has just installed by itself: what it installed is the lock file's.
    mkdirSync(dirname(installStamp), { recursive: true });
    writeFileSync(installStamp, lockDigest());
  }
  if (!flags.includes('--build-only')) install();
  if (!flags.includes('--install-only')) build();
}

main(process.argv.slice(2));
