// What others do: each rival is a family of strategies, and a cell's figure is that of its best member there.
import { type Cell, rowsMax } from './cells.js';
import type { Engine, Strategy } from './engine.js';

export interface Rival {
  readonly name: string;
  /** Every setting of it that is tried, with the largest batch as it was published. */
  variants(cell: Cell): (() => Strategy)[];
  /** The same with the largest batch tried out too, for the very load: more than a server's owner knows beforehand. */
  capSwept?(cell: Cell): (() => Strategy)[];
}

const always = () => true;

/** The most rows that take no longer than `ms`. */
function rowsWithin(mean: Float64Array, ms: number, most = rowsMax): number {
  let rows = 0;
  while (rows < most && (mean[rows + 1] as number) <= ms) rows++;
  return rows;
}

/** Sent when a worker is free and the batch is full or its oldest waited long enough; too old ones are thrown out. */
function eager(most: number, delayMs: number, timeoutMs: number): Strategy {
  return {
    admit: always,
    decide(engine) {
      while (engine.waiting > 0 && engine.now - engine.oldest > timeoutMs) engine.head++;
      if (engine.waiting === 0) return 0;
      if (engine.waiting >= most) return most;
      const sendAt = engine.oldest + delayMs;
      if (sendAt <= engine.now + 1e-9) return engine.waiting;
      engine.lookAt = sendAt;
      return 0;
    },
  };
}

/** Delay and queue timeout are tried out. */
function eagers({ sloMs }: Cell, mosts: Iterable<number>): (() => Strategy)[] {
  const variants: (() => Strategy)[] = [];
  for (const most of mosts) {
    for (const delay of [0, 0.05, 0.1, 0.2, 0.35]) {
      for (const timeout of [0.25, 0.4, 0.5, 0.65, 0.8]) {
        if (delay < timeout) variants.push(() => eager(most, delay * sloMs, timeout * sloMs));
      }
    }
  }
  return variants;
}

function caps({ model, workers, sloMs }: Cell): Set<number> {
  const most = rowsWithin(model.meanMs, sloMs / (1 + 1 / workers));
  return new Set([most, Math.ceil(most * 0.75), Math.ceil(most / 2), rowsMax]);
}

/** Clipper: the largest batch grows by one while batches stay below a target, and shrinks by a tenth when one does not. */
function aimd(targetMs: number): Strategy {
  let most = 1;
  return {
    admit: always,
    decide(engine) {
      while (engine.waiting > 0 && engine.now - engine.oldest >= engine.sloMs) engine.head++;
      return Math.min(engine.waiting, Math.floor(most));
    },
    learn(rows, ms) {
      if (ms > targetMs) most = Math.max(1, most * 0.9);
      else if (rows >= Math.floor(most)) most = Math.min(rowsMax, most + 1);
    },
  };
}

/** Who can't be answered in time is dropped when its turn comes; the batch is as large as its first member allows. */
function edf(mean: Float64Array, most: number): Strategy {
  return { admit: always, decide: (engine) => feasible(engine, mean, most) };
}

function feasible(engine: Engine, mean: Float64Array, most: number): number {
  while (engine.waiting > 0 && engine.oldest + engine.sloMs < engine.now + (mean[1] as number)) engine.head++;
  return rowsWithin(mean, engine.oldest + engine.sloMs - engine.now, Math.min(engine.waiting, most));
}

/** Nexus: whoever would make the batch smaller than wanted is dropped early. */
function windowed(engine: Engine, mean: Float64Array, wanted: number): number {
  while (engine.waiting > 0) {
    const rows = Math.min(engine.waiting, wanted);
    if (engine.oldest + engine.sloMs >= engine.now + (mean[rows] as number)) return rows;
    engine.head++;
  }
  return 0;
}

function windowDrop(mean: Float64Array, wanted: number): Strategy {
  return { admit: always, decide: (engine) => windowed(engine, mean, wanted) };
}

/** Symphony: a batch leaves at the last moment at which one more row would still fit, or when it is full. */
function deferred(mean: Float64Array, most: number, drop: 'lazy' | 'window'): Strategy {
  return {
    admit: always,
    decide(engine) {
      const rows = drop === 'lazy' ? feasible(engine, mean, most) : windowed(engine, mean, most);
      if (rows === 0 || rows >= most || rows < engine.waiting) return rows;
      const sendAt = engine.oldest + engine.sloMs - (mean[rows + 1] as number);
      if (sendAt <= engine.now) return rows;
      engine.lookAt = sendAt;
      return 0;
    },
  };
}

const safeties = [1.02, 1.06];

function scaled(mean: Float64Array, by: number): Float64Array {
  return mean.map((ms) => ms * by);
}

/** With which staggered workers do most: what Symphony's batches grow to. */
function staggered({ model, workers, sloMs }: Cell): number {
  return Math.max(1, rowsWithin(model.meanMs, sloMs / (1 + 1 / workers)));
}

/** A row may have to wait for one batch and be in the next: Nexus' rule. */
function halved({ model, sloMs }: Cell): number {
  return Math.max(1, rowsWithin(model.meanMs, sloMs / 2));
}

function wanted(cell: Cell): number[] {
  const most = staggered(cell);
  return [...new Set([Math.max(1, Math.round(most * 0.85)), most, halved(cell)])];
}

function withCosts(cell: Cell, make: (mean: Float64Array) => (() => Strategy)[]): (() => Strategy)[] {
  return safeties.flatMap((safety) => make(scaled(cell.model.meanMs, safety)));
}

export const rivals: readonly Rival[] = [
  {
    name: 'eager',
    variants: (cell) => eagers(cell, [rowsMax]),
    capSwept: (cell) => eagers(cell, caps(cell)),
  },
  { name: 'aimd', variants: ({ sloMs }) => [0.35, 0.5, 0.7].map((share) => () => aimd(share * sloMs)) },
  {
    name: 'edf',
    variants: (cell) => withCosts(cell, (mean) => [() => edf(mean, rowsMax)]),
  },
  {
    name: 'window',
    variants: (cell) => withCosts(cell, (mean) => [() => windowDrop(mean, halved(cell))]),
    capSwept: (cell) => withCosts(cell, (mean) => wanted(cell).map((rows) => () => windowDrop(mean, rows))),
  },
  {
    name: 'deferred',
    variants: (cell) =>
      withCosts(cell, (mean) => [
        () => deferred(mean, rowsMax - 1, 'lazy'),
        () => deferred(mean, staggered(cell), 'window'),
      ]),
    capSwept: (cell) =>
      withCosts(cell, (mean) => [
        () => deferred(mean, rowsMax - 1, 'lazy'),
        ...wanted(cell).map((rows) => () => deferred(mean, rows, 'window')),
      ]),
  },
];
