// Runs the built tests with Node's own runner and prints one summary: several files at a time, but for those that time the
// processes they start. `npm test -- words` runs only files whose path has them.
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { PassThrough } from 'node:stream';
import { run } from 'node:test';
import { spec, tap } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = join(root, 'dist', 'test');
const fileTimeoutMs = 240_000;
const timed =
  /^test\/(processes\/(batching|cluster|deadline|failover|fuzz|overload|partitions|rolling)|network\/link)\.test/;
/** Each file is run with the first kind that has it, so many at a time. */
const kinds = [
  { has: timed, atOnce: 1 },
  { has: /^/, atOnce: 2 },
];
/** These begin first, in this order: what takes longest is not to be left alone at the end. */
const longest = [
  'simulation/bugs',
  'processes/readme',
  'processes/distribution',
  'processes/sharpening',
  'processes/stop',
  'processes/',
];
const summaryLine = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;
const usage = 'Usage: npm test -- [part of a path ...] [--name PATTERN] [--tap]\n';

function readArguments(words) {
  const options = { parts: [], names: [], reporter: spec };
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at];
    if (word === '--tap') options.reporter = tap;
    else if (word === '--name' && words[at + 1] !== undefined) options.names.push(words[(at += 1)]);
    else if (word.startsWith('-')) {
      process.stderr.write(`unknown option ${word}\n${usage}`);
      process.exit(2);
    } else options.parts.push(word.replace(/\.ts$/, '').replace(/^\.?\/?(dist\/)?(?=test\/)/, ''));
  }
  return options;
}

function listTests() {
  if (!existsSync(built)) return [];
  return readdirSync(built, { recursive: true })
    .map((path) => join(built, path))
    .filter((path) => path.endsWith('.test.js'))
    .filter((path) => existsSync(join(root, relative(join(root, 'dist'), path).replace(/\.js$/, '.ts'))))
    .sort();
}

function place(path) {
  return relative(join(root, 'dist'), path).split(sep).join('/');
}

function rank(path) {
  const at = longest.findIndex((begin) => place(path).startsWith(`test/${begin}`));
  return at < 0 ? longest.length : at;
}

/** Lets a run's events through to the one reporter, and keeps back its closing counts to be added up. */
async function follow(files, concurrency, options, events, totals) {
  const settings = { files, concurrency, timeout: fileTimeoutMs };
  if (options.names.length > 0) settings.testNamePatterns = options.names.map((name) => new RegExp(name));
  for await (const event of run(settings)) {
    const count =
      event.type === 'test:diagnostic' && event.data.nesting === 0 && summaryLine.exec(event.data.message);
    if (count) {
      totals.set(count[1], (totals.get(count[1]) ?? 0) + Number(count[2]));
      continue;
    }
    if (event.type === 'test:summary') continue;
    if (event.type === 'test:fail' && !event.data.todo) process.exitCode = 1;
    if (!events.write(event)) await new Promise((resolve) => events.once('drain', resolve));
  }
}

async function main() {
  const options = readArguments(process.argv.slice(2));
  const all = listTests();
  const chosen = all.filter(
    (path) => options.parts.length === 0 || options.parts.some((part) => place(path).includes(part)),
  );
  if (chosen.length === 0) {
    process.stderr.write(
      `no test file matches; there are:\n${all.map((path) => `  ${place(path)}\n`).join('')}`,
    );
    process.exit(1);
  }
  const events = new PassThrough({ objectMode: true });
  const totals = new Map();
  events.compose(options.reporter).pipe(process.stdout);
  const atOnceMost = availableParallelism();
  for (const { has, atOnce } of kinds) {
    const files = chosen
      .filter((path) => kinds.find((kind) => kind.has.test(place(path)))?.has === has)
      .sort((one, other) => rank(one) - rank(other));
    if (files.length > 0) await follow(files, Math.min(atOnce, atOnceMost), options, events, totals);
  }
  for (const [name, count] of totals) {
    events.write({ type: 'test:diagnostic', data: { nesting: 0, message: `${name} ${count}` } });
  }
  events.end();
}

await main();
