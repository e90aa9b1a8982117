// A worker process: one device, its models, and the worker actor in front of them. A node starts it, and it ends when
// the node does.
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Abort, Probe, RunBatch } from '../../actors/effects.js';
import type { RunFinished } from '../../actors/facts.js';
import { type Waiting, waitsFor } from '../../actors/worker/readiness.js';
import { Worker } from '../../actors/worker/worker.js';
import { modelKey } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import { tagsOf } from '../../proto/tags.js';
import { after, settle } from '../clock.js';
import { Devices } from '../executor/devices.js';
import type { Loaded, RunResult } from '../executor/executor.js';
import { createExecutor } from '../executor/factory.js';
import { GoldenInputs } from '../executor/golden.js';
import { GoldenRecords } from '../executor/golden-records.js';
import { KeptCosts } from '../executor/kept.js';
import { letHeapGrow } from '../heap.js';
import { KeyRing } from '../keys/ring.js';
import { createLog } from '../log.js';
import { editionOf, type ModelEntry } from '../models/entry.js';
import { isAsRead } from '../models/stamp.js';
import { listedModels } from '../node/listed.js';
import { MemberProcess } from '../node/member.js';
import { BatchFrames, offsetsOfRows } from './batches.js';
import { Loads } from './loads.js';
import type { LastWord, NodeWord, WorkerOrder, WorkerWord } from './order.js';

const reportMs = 200;
const goWaitMs = 1000;
const lingerMs = 200;
/** So long answers may take to leave a process whose device was lost. */
const answersMs = 50;

const order = JSON.parse(process.argv[2] ?? '{}') as WorkerOrder;
const log = createLog(order.logLevel, order.member);
let starting = true;
const keys = new KeyRing((turned) => log.warn('link.barred', { ...turned }));
/** Its node is drained. */
let isAway = false;

letHeapGrow();

// A terminal's Ctrl-C reaches the whole group: the node decides when its workers end.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => drain());
// A node that is gone leaves nobody behind. A run in flight forbids any gentler end.
process.on('disconnect', end);
const loads = new Loads(
  (word) =>
    new Promise((resolve) => {
      if (process.send?.(word, () => resolve()) === undefined) resolve();
    }),
  () => actor.heldBatches().next().done === false,
);
let models: readonly ModelEntry[] = [];
let listCount = 0;
let waiting: Waiting | undefined;
/** Who else is there, where the node tells that. */
let others: Said<'members.listed'> | undefined;
const firstListed = new Promise<void>((resolve) => {
  process.on('message', (word: NodeWord) => {
    if (word.type === 'drain') return drain();
    if (word.type === 'vacate') return vacate(word.away);
    if (word.type === 'members') return hearMembers(word.listed);
    if (word.type === 'keys') return keys.take(word.known);
    if (word.type === 'risks') return loads.know(word.risks);
    models = word.models;
    listCount++;
    resolve();
    if (!starting) list();
  });
});
// It may have gone before anybody listened for that.
if (!process.connected) end();

const frames = new BatchFrames();
const kept = new KeptCosts(order.cacheFolder && join(order.cacheFolder, 'costs.json'), (reason) =>
  log.warn('costs.unkept', { reason }),
);
const graphs = order.cacheFolder && join(order.cacheFolder, 'graphs');
const records = new GoldenRecords(order.cacheFolder, (reason) => log.warn('golden.unkept', { reason }));
const golden = new GoldenInputs(records, (event, fields) => log.info(event, fields));
const devices = new Devices();
const { device, fallback, threadCount: threads } = order;
const executor = createExecutor({ device, fallback, devices, threads, kept, graphs, golden, broken });
const runsOn = await settleDevice();
const actor = new Worker({
  name: order.name,
  device: runsOn,
  tags: tagsOf(order.tags, runsOn, hostname()),
  credits: { inline: order.inlineCreditCount, thread: order.threadCreditCount },
  reportMs,
  goWaitMs,
  runMaxMs: order.runMaxMs,
  probeEveryMs: order.probeEveryMs,
  memoryMb: order.modelMemoryMb,
});
const member = new MemberProcess({
  self: { id: order.member, roles: ['worker'], endpoint: '', host: order.host },
  cluster: order.cluster,
  keys,
  beatMs: order.beatMs,
  log,
  payloadOf: (message, outputsOf) => (message.type === 'batch.finished' ? frames.outputsOf(outputsOf) : []),
  received: (message, received) => frames.keep(message, received),
  performers: {
    load: ({ model, version }) => void load(model, version),
    unload: ({ model, version }) => unload(model, version),
    run,
    forget: ({ key }) => frames.forget(key),
    probe: (effect) => void probe(effect),
    abort,
    stopped: () => void stop(),
    vacated: ({ vacant }) => tellVacancy(vacant),
  },
});
member.add('worker', actor);
await firstListed;
starting = false;
if (isAway) vacate(true);
process.send?.({ type: 'introduced', device: runsOn } satisfies WorkerWord);
for (const endpoint of order.join) member.join(endpoint);
if (others !== undefined) member.hearList(others);
list();
watchReadiness();

/** What models get where they ask for nothing else, tried before anybody hears of this worker. */
async function settleDevice(): Promise<string> {
  const { device: best, passed } = await devices.best(device);
  const settled = best === 'none' && fallback === 'cpu' ? 'cpu' : best;
  const fields = { wanted: device, device: settled, threads, reason: passed };
  if (best === 'none') log.warn('worker.device', fields);
  else log.info('worker.device', fields);
  return settled;
}

function hearMembers(listed: Said<'members.listed'>): void {
  others = listed;
  if (!starting) member.hearList(listed);
}

function list(): void {
  member.host.hear({
    type: 'models.listed',
    models: listedModels({ models }, order.runMaxMs, device),
  });
  tellReadiness();
  process.send?.({ type: 'listed', count: listCount, ...actor.shares.listed() } satisfies WorkerWord);
}

async function load(model: string, version: string): Promise<void> {
  const loaded = await loads.run(modelKey(model, version), () => loadEntry(model, version));
  if (loaded.ok) {
    const { place, rowsMax, runMs, costs, golden, runsOn, fallback = '' } = loaded;
    if (fallback !== '') log.warn('model.fallback', { model, version, runsOn: 'cpu', reason: fallback });
    else if (runsOn !== 'cpu') log.info('model.loaded', { model, version, runsOn });
    member.host.hear({ type: 'model.loaded', model, version, place, rowsMax, runMs, costs, golden, runsOn });
  } else {
    const { reason, suspect = false, stale = false } = loaded;
    if (stale) process.send?.({ type: 'outdated', model } satisfies WorkerWord);
    log[stale ? 'warn' : 'error']('model.failed', { model, version, reason });
    member.host.hear({ type: 'model.failed', model, version, reason, suspect, stale });
  }
}

function unload(model: string, version: string): void {
  executor.unload(model, version);
  process.send?.({ type: 'unloaded', key: modelKey(model, version) } satisfies WorkerWord);
}

async function probe({ models }: Probe): Promise<void> {
  const reason = await executor.probe(models).catch((fault: unknown) => String(fault));
  member.host.hear({ type: 'device.probed', failed: reason !== '', reason });
}

async function loadEntry(model: string, version: string): Promise<Loaded> {
  const entry = models.find((other) => other.name === model && editionOf(other) === version);
  if (entry === undefined) return { ok: false, reason: 'the repository has no such model any more' };
  const loaded = await executor
    .load(entry)
    .catch((fault: unknown): Loaded => ({ ok: false, reason: String(fault) }));
  if (await isAsRead(entry)) return loaded;
  if (loaded.ok) executor.unload(model, version);
  return {
    ok: false,
    reason: 'its files have changed since they were read: load the model again',
    stale: true,
  };
}

function run(effect: RunBatch): void {
  const wanted = frames.runOf(effect);
  if (wanted === undefined) {
    const reason = 'the batch came without its tensors';
    settle(() => member.host.hear(failed(effect.key, 'INTERNAL', reason)));
    return;
  }
  loads.ran();
  executor.run(wanted, (result) => {
    if (result.ok) frames.keepOutputs(effect.key, result.outputs);
    member.host.hear(finished(result, wanted.rows));
    // A batch is a good handful already: its answer waits for no other.
    member.office.flush();
  });
}

function finished(result: RunResult, rows: readonly number[]): RunFinished {
  if (!result.ok) return failed(result.key, result.code, result.reason);
  const { key, outputs, inputMs, computeMs, outputMs } = result;
  return {
    type: 'run.finished',
    key,
    code: '',
    reason: '',
    outputs: outputs.map((output) => [output.name, output.datatype, output.shape] as const),
    sizes: outputs.map((output) => (output.datatype === 'BYTES' ? bytesSizes(output, rows) : [])),
    inputMs,
    computeMs,
    outputMs,
  };
}

function failed(key: string, code: RunFinished['code'], reason: string): RunFinished {
  const nothing = { outputs: [], sizes: [], inputMs: 0, computeMs: 0, outputMs: 0 };
  return { type: 'run.finished', key, code, reason: reason.slice(0, 1000), ...nothing };
}

/** How many bytes of a BYTES output belong to each member. */
function bytesSizes(
  output: Parameters<typeof offsetsOfRows>[1] & { data: Uint8Array },
  rows: readonly number[],
): number[] {
  if (rows.length === 1) return [output.data.length];
  const at = offsetsOfRows(
    output.data,
    output,
    rows.reduce((sum, count) => sum + count, 0),
  );
  let row = 0;
  return rows.map((count) => {
    const from = at(row);
    row += count;
    return at(row) - from;
  });
}

/** Not for what it ran: what it has answered is to leave it first. */
function abort({ cause, reason }: Abort): void {
  if (cause === 'stopped') member.office.flush();
  endSelf({ type: 'aborting', reason, cause }, cause === 'stopped' ? answersMs : 0);
}

/** What it ran has been answered: others can run it, and what has not begun goes back to them. */
function broken(reason: string, loading = ''): void {
  member.host.hear({ type: 'drain.requested' });
  member.office.flush();
  endSelf({ type: 'aborting', reason, cause: 'stopped', loading }, answersMs);
}

function endSelf(word: LastWord, delayMs: number): void {
  log.error('worker.aborted', { reason: word.reason });
  process.send?.(word, () => after(delayMs, end));
}

async function stop(): Promise<void> {
  await executor.close();
  await member.close(lingerMs);
  process.exit(0);
}

function drain(): void {
  // Before it has an actor it has no work either.
  if (starting) process.exit(0);
  member.host.hear({ type: 'drain.requested' });
}

function vacate(away: boolean): void {
  isAway = away;
  if (!starting) member.host.hear({ type: away ? 'vacancy.requested' : 'return.requested' });
  else if (!away) tellVacancy(false);
}

function watchReadiness(): void {
  tellReadiness();
  after(reportMs, watchReadiness, false);
}

/** Whenever it is another than at the last look. */
function tellReadiness(): void {
  const before = waiting;
  waiting = waitsFor(actor.chart, actor.shares);
  if (waiting.reason === before?.reason && waiting.isForMore === before.isForMore) return;
  process.send?.({ type: 'waiting', ...waiting } satisfies WorkerWord);
}

function tellVacancy(vacant: boolean): void {
  process.send?.({ type: 'vacated', vacant } satisfies WorkerWord);
}

function end(): void {
  process.kill(process.pid, 'SIGKILL');
}
