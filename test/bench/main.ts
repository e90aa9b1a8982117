// `npm run bench -- <name> [--json] [flags]`: runs one benchmark of this folder and prints its figures; with --json the
// last line is one object for a program to read. Without a name it lists what there is.
import { readdirSync, readFileSync } from 'node:fs';
import { Args, type Bench, machine, readable, say } from './figures.js';

async function main(words: readonly string[]): Promise<number> {
  const [name, ...rest] = words;
  if (name === undefined || name.startsWith('--')) return list(name === '--help');
  if (!benches().includes(name)) {
    say(`no benchmark is called "${name}"; there are: ${benches().join(', ')}`);
    return 2;
  }
  const bench = await load(name);
  if (rest.includes('--help')) {
    say(`${name}: ${bench.about}${flagsOf(bench)}`);
    return 0;
  }
  const args = Args.parse(rest);
  const unknown = args.names().find((flag) => flag !== 'json' && bench.flags?.[flag] === undefined);
  if (unknown !== undefined) {
    say(`${name} has no flag --${unknown}; it knows${flagsOf(bench)}`);
    return 2;
  }
  say(`${name}: ${bench.about}`);
  const figures = await bench.run(args);
  if (args.has('json')) {
    const report = {
      bench: name,
      figures,
      ...bench.details?.(),
      machine: machine(),
      date: new Date().toISOString(),
    };
    process.stdout.write(`${JSON.stringify(report)}\n`);
  } else print(figures);
  return 0;
}

/** Every file that exports an `about`; what they share says nothing about itself. */
function benches(): string[] {
  const folder = new URL('.', import.meta.url);
  return readdirSync(folder)
    .filter(
      (file) =>
        file.endsWith('.js') && /^export const about\b/m.test(readFileSync(new URL(file, folder), 'utf8')),
    )
    .map((file) => file.slice(0, -'.js'.length))
    .sort();
}

async function load(name: string): Promise<Bench> {
  const bench = (await import(new URL(`${name}.js`, import.meta.url).href)) as Partial<Bench>;
  if (typeof bench.about !== 'string' || typeof bench.run !== 'function') {
    throw new Error(`test/bench/${name}.ts exports no "about" and "run"`);
  }
  return bench as Bench;
}

function flagsOf({ flags = {} }: Bench): string {
  const known = Object.entries({ json: 'the last line is one object', ...flags });
  return known.map(([flag, what]) => `\n  --${flag}: ${what}`).join('');
}

async function list(withFlags: boolean): Promise<number> {
  say(
    'Usage: npm run bench -- <name> [--json] [flags]; with --help the flags of one, or without a name of all\n',
  );
  for (const name of benches()) {
    const bench = await load(name);
    process.stdout.write(`${name.padEnd(12)} ${bench.about}${withFlags ? `${flagsOf(bench)}\n` : ''}\n`);
  }
  return 0;
}

function print(figures: Readonly<Record<string, number>>): void {
  const width = Math.max(0, ...Object.keys(figures).map((name) => name.length));
  for (const [name, value] of Object.entries(figures)) {
    process.stdout.write(`${name.padEnd(width)}  ${readable(value).padStart(10)}\n`);
  }
}

// A benchmark may leave handles open that nobody waits for: its figures are out, so the process ends.
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
}
process.stdout.write('', () => process.exit());
