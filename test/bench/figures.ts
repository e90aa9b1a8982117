// What all benchmarks share: their flags, and figures from interleaved rounds (A B A B), so that a noisy machine is noisy
// for both sides of a comparison. A figure is a median; its spread is said beside it.
import { cpus, totalmem } from 'node:os';

export interface Bench {
  /** One line for the list. */
  readonly about: string;
  /** Each flag that it knows, with what it does. */
  readonly flags?: Readonly<Record<string, string>>;
  run(args: Args): Promise<Record<string, number>>;
  /** What else goes into the object for programs, once it ran. */
  details?(): Readonly<Record<string, unknown>>;
}

/** The flags behind a benchmark's name: `--kills 500`, `--long`. */
export class Args {
  private readonly given: ReadonlyMap<string, string>;

  constructor(given: ReadonlyMap<string, string>) {
    this.given = given;
  }

  static parse(words: readonly string[]): Args {
    const given = new Map<string, string>();
    for (let at = 0; at < words.length; at++) {
      const word = words[at] as string;
      if (!word.startsWith('--')) throw new Error(`${word} is not a flag: flags are --name value or --name`);
      const [name, joined] = word.slice(2).split('=', 2) as [string, string | undefined];
      const next = words[at + 1];
      if (joined !== undefined) given.set(name, joined);
      else if (next !== undefined && !next.startsWith('--')) {
        given.set(name, next);
        at++;
      } else given.set(name, '');
    }
    return new Args(given);
  }

  names(): string[] {
    return [...this.given.keys()];
  }

  has(name: string): boolean {
    return this.given.has(name);
  }

  number(name: string, otherwise: number): number {
    const given = this.given.get(name);
    if (given === undefined) return otherwise;
    const value = Number(given);
    if (given === '' || !Number.isFinite(value))
      throw new Error(`--${name} wants a number, given is "${given}"`);
    return value;
  }

  text(name: string, otherwise: string): string {
    return this.given.get(name) ?? otherwise;
  }
}

export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
}

export const roundsLeast = 5;

/** Runs every side once per round, in turn, and gives each side's spread over the rounds. One round warms up. */
export async function interleave<const N extends string>(
  rounds: number,
  sides: Readonly<Record<N, () => Promise<number> | number>>,
): Promise<Record<N, Spread>> {
  const names = Object.keys(sides) as N[];
  const figures = new Map<N, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round <= Math.max(rounds, roundsLeast); round++) {
    for (const name of names) {
      const figure = await sides[name]();
      if (round > 0) figures.get(name)?.push(figure);
    }
  }
  return Object.fromEntries(names.map((name) => [name, spread(figures.get(name) ?? [])])) as Record<
    N,
    Spread
  >;
}

export function spread(values: readonly number[]): Spread {
  return {
    median: quantile(values, 0.5),
    low: quantile(values, 0),
    high: quantile(values, 1),
    rounds: values.length,
  };
}

/** The value below which the share `q` of the values lies; NaN of none. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const place = q * (sorted.length - 1);
  const below = sorted[Math.floor(place)] as number;
  const above = sorted[Math.ceil(place)] as number;
  return below + (above - below) * (place - Math.floor(place));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** A line for people on the way: a benchmark's return value is only its figures. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function saySpread(name: string, figure: Spread, unit = ''): void {
  const { low, high, rounds } = figure;
  say(
    `  ${name}: ${readable(figure.median)}${unit} (${readable(low)} to ${readable(high)}, ${rounds} rounds)`,
  );
}

export function readable(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

export function machine(): Record<string, string | number> {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
}
