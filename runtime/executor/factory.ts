// The executor of a worker process: decides where each model runs. Tiny models run on the main thread, where nothing
// queues before them; all others in the one compute thread, so that the main thread stays free to speak.
import { modelKey } from '../../proto/ids.js';
import type { Place } from '../../proto/messages.js';
import { after, now, settle, type Timer } from '../clock.js';
import { isBuiltIn } from '../models/backend.js';
import { editionOf, type ModelEntry } from '../models/entry.js';
import { loadOnBest, type Wish } from './choosing.js';
import { ComputeThread } from './compute.js';
import { type Device, kindOf } from './device.js';
import { Devices } from './devices.js';
import type { Cost, Executor, Loaded, Run, RunFailure, RunResult } from './executor.js';
import { cutOutputs, fill, filledRows } from './filling.js';
import { findWrongInput, gatherInputs } from './gather.js';
import type { GoldenInputs, Proof } from './golden.js';
import type { GoldenInput } from './golden-input.js';
import type { KeptCosts } from './kept.js';
import { LearnedCosts } from './learned.js';
import { hasOpenSizes, Measuring } from './measuring.js';
import { type LoadOrder, orderOf } from './order.js';
import { OwnThread } from './own-thread.js';
import { Shelf } from './shelf.js';

/** What a model may cost at most to run on the main thread: everything else there waits as long. */
export const tiny = { oneRowMs: 0.15, allRowsMs: 0.5, fileBytes: 256 * 1024 } as const;

/** TensorRT builds an engine of the model whenever it is loaded. */
const buildFactor = 10;

/** A thread without models is kept a little, for models often come one after the other. */
const threadIdleMs = 2_000;

export interface ExecutorOptions extends Partial<Wish> {
  /** That one run may use. */
  readonly threads?: number;
  readonly devices?: Devices;
  /** Where measured costs are kept; none: nowhere. */
  readonly kept?: KeptCosts;
  /** The folder where optimised graphs are kept; none: nowhere. */
  readonly graphs?: string;
  /** Without it no model is proved. */
  readonly golden?: GoldenInputs;
  /** Called once, when the device does not come back in this process; `loading`: which model it did not get over. */
  readonly broken?: (reason: string, loading?: string) => void;
}

export function createExecutor(options: ExecutorOptions = {}): Executor {
  return new Places(options);
}

interface Placed {
  readonly place: Place;
  /** Where the model's backend is a user's own. */
  readonly own: OwnThread | undefined;
  readonly order: LoadOrder;
  readonly costs: readonly Cost[];
  readonly learned: LearnedCosts;
}

type Put = Pick<Placed, 'place' | 'own'> & { readonly runMs: number; readonly partly?: string };

class Places implements Executor {
  readonly #wish: Wish;
  readonly #devices: Devices;
  readonly #threads: number;
  readonly #graphs: string;
  readonly #broken: ExecutorOptions['broken'];
  readonly #kept: KeptCosts | undefined;
  readonly #golden: GoldenInputs | undefined;
  readonly #measuring = new Measuring();
  readonly #inline = new Shelf();
  readonly #placed = new Map<string, Placed>();
  readonly #owns = new Set<OwnThread>();
  readonly #inThread = new Set<string>();
  readonly #retiring = new Set<Promise<void>>();
  #thread: ComputeThread | undefined;
  #threadUsers = 0;
  #idle: Timer | undefined;
  #inlineRuns = 0;
  #drained: (() => void) | undefined;
  #isClosed = false;
  #isBroken = false;

  constructor(options: ExecutorOptions) {
    const { device = 'cpu', fallback = 'none', devices = new Devices(), threads = 1, graphs = '' } = options;
    this.#wish = { device, fallback };
    this.#devices = devices;
    this.#threads = threads;
    this.#graphs = graphs;
    this.#broken = options.broken;
    this.#kept = options.kept;
    this.#golden = options.golden;
  }

  load(entry: ModelEntry): Promise<Loaded> {
    return loadOnBest(entry, this.#wish, this.#devices, (device) => this.#inTime(entry, device));
  }

  /** What a driver does can't be broken off: where it takes too long, this process has to go. */
  async #inTime(entry: ModelEntry, device: Device): Promise<Loaded> {
    // A user's own backend has a thread to itself, which is ended instead.
    if (device === 'cpu' || !isBuiltIn(entry.config.backend)) return this.#loadOn(entry, device);
    const { name, version, config } = entry;
    const ms = config.loadLongestMs * (kindOf(device) === 'tensorrt' ? buildFactor : 1);
    const late = after(ms, () =>
      this.#break(
        `${name}:${version} did not load on ${device} within ${ms} ms (loadLongestMs)`,
        modelKey(name, editionOf(entry)),
      ),
    );
    return this.#loadOn(entry, device).finally(() => late.cancel());
  }

  async #loadOn(entry: ModelEntry, device: Device): Promise<Loaded> {
    const order = orderOf(entry, { device, threads: this.#threads, graphs: this.#graphs });
    if (typeof order === 'string') return { ok: false, reason: order };
    if (this.#isClosed) return { ok: false, reason: 'the executor is closed' };
    let put: Put | undefined;
    try {
      put = await this.#put(order, entry);
      const { place, own, runMs, partly = '' } = put;
      const costs = await this.#costsOf(order, put);
      const before = this.#placed.get(order.key);
      this.#placed.set(order.key, { place, own, order, costs, learned: new LearnedCosts() });
      if (before !== undefined && (before.place !== place || before.own !== own)) await this.#remove(before);
      const { golden, failed } = await this.#prove(order, runMs);
      const more = [partly, golden === 'none' && order.golden !== undefined ? 'unproved' : ''];
      const runsOn = placeIn(device, more);
      if (failed === '') return { ok: true, place, rowsMax: order.rowsMax, runMs, costs, golden, runsOn };
      this.unload(entry.name, editionOf(entry));
      return { ok: false, reason: `its golden input: ${failed}`, suspect: true };
    } catch (error) {
      if (this.#placed.get(order.key)?.order === order) this.unload(entry.name, editionOf(entry));
      else await this.#takeOut(order, put).catch(() => undefined);
      return { ok: false, reason: error instanceof Error ? error.message : String(error) };
    }
  }

  unload(model: string, version: string): void {
    const key = modelKey(model, version);
    const placed = this.#placed.get(key);
    this.#placed.delete(key);
    if (placed === undefined) return;
    void this.#keep(placed).catch(() => undefined);
    void this.#remove(placed).catch(() => undefined);
  }

  run(run: Run, done: (result: RunResult) => void): void {
    const key = modelKey(run.model, run.version);
    const placed = this.#placed.get(key);
    if (this.#isClosed) return refuse(run, done, 'DEVICE_LOST', 'the executor is closed');
    if (placed === undefined) return refuse(run, done, 'MODEL_FAILED', `${key} is not loaded in this worker`);
    const wrong = findWrongInput(run);
    if (wrong !== undefined) return refuse(run, done, 'MODEL_FAILED', wrong);
    const { place, own: ownThread, order, learned } = placed;
    const own = order.batches ? sumOfRows(run) : 1;
    const rows = filledRows(order.rowSizes, own);
    const finish = (result: RunResult): void => {
      if (result.ok) learned.note(rows, result.computeMs);
      else if (result.code === 'DEVICE_LOST') this.#break(`the device was lost: ${result.reason}`);
      done(result.ok && rows > own ? { ...result, outputs: cutOutputs(result.outputs, own) } : result);
    };
    const filled = fill(run, own, rows);
    if (place === 'inline') void this.#runInline(filled, key, rows, own, finish);
    else if (ownThread !== undefined) ownThread.run(filled, rows, own, finish);
    else this.#useThread().run(filled, key, rows, own, finish);
  }

  async probe(models: readonly Pick<Run, 'model' | 'version'>[]): Promise<string> {
    const keys = models.map(({ model, version }) => modelKey(model, version));
    const asking = (key: string) => {
      const order = this.#placed.get(key)?.order;
      return order && ((input: GoldenInput) => this.#ask(order, input));
    };
    return (await this.#golden?.probe(keys, asking)) ?? '';
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#idle?.cancel();
    if (this.#inlineRuns > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    for (const placed of this.#placed.values()) await this.#keep(placed);
    await Promise.all([...this.#owns].map((own) => own.stop()));
    await this.#inline.unloadAll();
    this.#retireThread();
    await Promise.all(this.#retiring);
  }

  async #costsOf(order: LoadOrder, { place, own, runMs }: Put): Promise<readonly Cost[]> {
    const known = await this.#kept?.find(order);
    if (known !== undefined) return known;
    const thread = place === 'thread' && own === undefined ? this.#useThread() : undefined;
    const measure = (rows: number) => own?.measure(rows) ?? (thread ?? this.#inline).measure(order.key, rows);
    const { costs, isAll } = await this.#measuring.costsOf(order, runMs, measure);
    if (isAll) await this.#kept?.keep(order, costs);
    return costs;
  }

  async #prove(order: LoadOrder, runMs: number): Promise<Proof> {
    const proof = await this.#golden?.prove(order, runMs, (input) => this.#ask(order, input));
    return proof ?? { golden: 'none', failed: '' };
  }

  #ask({ key, model, batches }: LoadOrder, input: GoldenInput): Promise<RunResult> {
    const inputs = input.map((tensor) => ({ header: tensor, frames: [tensor.data] }));
    const version = key.slice(model.length + 1);
    const rows = [batches ? (input[0]?.shape[0] ?? 1) : 1];
    return new Promise((resolve) =>
      this.run({ key: 'golden', model, version, place: 'thread', inputs, rows, outputs: [] }, resolve),
    );
  }

  /** What its runs have taught, for the next start. */
  async #keep({ order, costs, learned }: Placed): Promise<void> {
    const all = hasOpenSizes(order) ? undefined : learned.beside(costs);
    if (all !== undefined) await this.#kept?.keep(order, all);
  }

  async #put(order: LoadOrder, entry: ModelEntry): Promise<Put> {
    const { placement } = entry.config;
    if (order.backend === 'module') return this.#putOwn(order);
    const isInline = placement === 'inline' || (placement === 'auto' && order.backend === 'echo');
    if (isInline && order.device === 'cpu') return this.#putInline(order);
    const thread = this.#useThread();
    this.#threadUsers += 1;
    try {
      const partly = await thread.load(order);
      this.#inThread.add(order.key);
      const runMs = await thread.warmup(order.key, filledRows(order.rowSizes, 1));
      if (placement !== 'auto' || !(await isTiny(order, runMs, thread)))
        return { place: 'thread', runMs, own: undefined, partly };
      const placed = await this.#putInline(order);
      this.#inThread.delete(order.key);
      await thread.unload(order.key);
      return placed;
    } finally {
      this.#threadUsers -= 1;
      this.#considerIdle();
    }
  }

  async #putInline(order: LoadOrder): Promise<Put> {
    await this.#inline.load(order);
    const runMs = await this.#inline.warmup(order.key, filledRows(order.rowSizes, 1));
    return { place: 'inline', runMs, own: undefined };
  }

  async #putOwn(order: LoadOrder): Promise<Put> {
    const own = new OwnThread(order);
    this.#owns.add(own);
    try {
      return { place: 'thread', runMs: await own.load(), own };
    } catch (error) {
      this.#owns.delete(own);
      throw error;
    }
  }

  /** What was not noted is held by nobody; where the same was loaded before, that goes on. */
  async #takeOut({ key }: LoadOrder, put: Put | undefined): Promise<void> {
    const before = this.#placed.get(key);
    if (put?.own !== undefined) {
      this.#owns.delete(put.own);
      return put.own.stop();
    }
    if (before?.place !== 'inline') await this.#inline.unload(key);
    if (before?.place === 'thread' || this.#thread === undefined) return;
    this.#inThread.delete(key);
    await this.#thread.unload(key);
    this.#considerIdle();
  }

  async #remove({ order: { key }, place, own }: Placed): Promise<void> {
    if (own !== undefined) {
      this.#owns.delete(own);
      return own.stop();
    }
    if (place === 'inline') return this.#inline.unload(key);
    this.#inThread.delete(key);
    await this.#thread?.unload(key);
    this.#considerIdle();
  }

  async #runInline(
    run: Run,
    key: string,
    rows: number,
    own: number,
    done: (result: RunResult) => void,
  ): Promise<void> {
    this.#inlineRuns += 1;
    const startedAt = now();
    const inputs = gatherInputs(run);
    const inputMs = now() - startedAt;
    const outcome = await this.#inline.run(key, inputs, rows, run.outputs, own);
    this.#inlineRuns -= 1;
    done(outcome.ok ? { key: run.key, inputMs, ...outcome } : { key: run.key, ...outcome });
    if (this.#inlineRuns === 0) this.#drained?.();
  }

  #useThread(): ComputeThread {
    this.#idle?.cancel();
    this.#thread ??= new ComputeThread((reason) => this.#break(reason));
    return this.#thread;
  }

  /** Told once all that ended with it has been answered. */
  #break(reason: string, loading = ''): void {
    if (this.#isBroken || this.#isClosed) return;
    this.#isBroken = true;
    settle(() => this.#broken?.(reason, loading));
  }

  #considerIdle(): void {
    if (this.#threadUsers > 0 || this.#inThread.size > 0 || this.#isClosed) return;
    this.#idle?.cancel();
    this.#idle = after(threadIdleMs, () => this.#retireThread(), false);
  }

  #retireThread(): void {
    const stopped = this.#thread?.stop();
    this.#thread = undefined;
    if (stopped === undefined) return;
    this.#retiring.add(stopped);
    void stopped.finally(() => this.#retiring.delete(stopped));
  }
}

async function isTiny(order: LoadOrder, runMs: number, thread: ComputeThread): Promise<boolean> {
  if (order.backend !== 'onnxruntime' || order.device !== 'cpu' || order.sizeBytes > tiny.fileBytes)
    return false;
  if (hasOpenSizes(order) || runMs === 0 || runMs > tiny.oneRowMs) return false;
  if (order.rowsMax === 1) return true;
  return (await thread.warmup(order.key, order.rowsMax)) <= tiny.allRowsMs;
}

function placeIn(device: Device, more: readonly string[]): string {
  const told = more.filter((word) => word !== '').join('; ');
  return told === '' ? device : `${device} (${told})`;
}

function sumOfRows(run: Run): number {
  let sum = 0;
  for (const rows of run.rows) sum += rows;
  return sum;
}

function refuse(run: Run, done: (result: RunResult) => void, code: RunFailure['code'], reason: string): void {
  queueMicrotask(() => done({ key: run.key, ok: false, code, reason }));
}
