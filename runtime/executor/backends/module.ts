// A module of a user's own as a backend: imports it, hands it typed tensors, and looks at all that it gives, for nobody
// else has. What is wrong is said with the model, the module and what is wanted.
import { pathToFileURL } from 'node:url';
import type { Tensor } from '../../../proto/tensor.js';
import { type Backend, BackendError, type Batch, type LoadedModel } from '../backend.js';
import type { LoadOrder } from '../order.js';
import type { OwnBackend, OwnLoaded, OwnModel } from '../own.js';
import { ownInputs, readAnswer } from './typed.js';

export const module: Backend = { load };

const described = 'runtime/executor/README.md describes it';

async function load(order: LoadOrder): Promise<LoadedModel> {
  const who = nameOf(order);
  const backend = await importFrom(order.module, who);
  const loaded = loadedFrom(await called(`${who}: load`, () => backend.load(modelOf(order))), who);
  const warmup = loaded.warmup?.bind(loaded);
  return {
    ...(warmup && {
      warmup: async (rows) => readMs(who, await called(`${who}: warmup`, () => warmup(rows))),
    }),
    infer: (batch) => infer(who, order, loaded, batch),
    unload: async () => {
      await called(`${who}: unload`, () => loaded.unload?.());
    },
  };
}

export function nameOf({ calledBackend, key }: Pick<LoadOrder, 'calledBackend' | 'key'>): string {
  return `backend ${calledBackend} of ${key}`;
}

async function importFrom(path: string, who: string): Promise<OwnBackend> {
  let exported: Partial<OwnBackend> & { readonly default?: Partial<OwnBackend> };
  try {
    exported = await import(pathToFileURL(path).href);
  } catch (error) {
    throw new Error(`${who} can't be imported: ${wordsOf(error)}${hintOf(path, error)}`);
  }
  const found = exported.load === undefined ? exported.default : exported;
  if (typeof found?.load === 'function') return found as OwnBackend;
  const given = Object.keys(exported).join(', ') || 'nothing';
  throw new Error(`${who} exports ${given}; wanted is a function load(model): ${described}`);
}

function modelOf(order: LoadOrder): OwnModel {
  const { model, version, folder, inputs, outputs, batches, rowsMax, device, threads, settings } = order;
  const maxBatch = batches ? rowsMax : 0;
  return { name: model, version, folder, inputs, outputs, maxBatch, device, threads, settings };
}

function loadedFrom(given: unknown, who: string): OwnLoaded {
  const loaded = (given ?? {}) as Record<string, unknown>;
  for (const name of ['infer', 'warmup', 'unload']) {
    const found = loaded[name];
    if (typeof found === 'function' || (found === undefined && name !== 'infer')) continue;
    const is = found === undefined ? 'has no function' : `has a ${typeof found}`;
    throw new Error(
      `${who}: what load gave ${is} ${name}; wanted is { infer } with warmup and unload as they are needed: ${described}`,
    );
  }
  return given as OwnLoaded;
}

function readMs(who: string, given: unknown): number | undefined {
  if (given === undefined || given === null) return undefined;
  if (typeof given === 'number' && Number.isFinite(given) && given >= 0) return given;
  throw new Error(`${who}: warmup gave ${String(given)}; wanted are milliseconds from 0, or nothing`);
}

async function infer(
  who: string,
  order: LoadOrder,
  loaded: OwnLoaded,
  batch: Batch,
): Promise<readonly Tensor[]> {
  const { rows, outputs } = batch;
  const inputs = ownInputs(order, batch.inputs);
  const answer = await called(`${who}: infer`, () => loaded.infer({ inputs, rows, outputs }));
  return readAnswer(`${who}: infer`, order, batch, answer);
}

/** What a user's function throws, with its name before it. */
async function called<T>(what: string, call: () => T): Promise<Awaited<T>> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof BackendError) throw error;
    throw new Error(`${what} threw: ${wordsOf(error)}`);
  }
}

function wordsOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  return words.replace(/\s+/g, ' ').trim() || 'no word of why';
}

/** Node tells no line of a mistake. */
function hintOf(path: string, error: unknown): string {
  if (!(error instanceof SyntaxError)) return '';
  return /Unexpected token 'export'|import statement outside/.test(error.message)
    ? '; as an ES module its name ends in .mjs, or a package.json beside it says type: module'
    : `; node --check ${path} shows where`;
}
