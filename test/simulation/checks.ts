// What must hold in each actor after every step, and in all of them when everything has come to rest.
import type { Lane } from '../../actors/lane/lane.js';
import type { Router } from '../../actors/router/router.js';
import type { Scheduler } from '../../actors/scheduler/scheduler.js';
import { isAtRest } from '../../actors/scheduler/shares.js';
import type { WorkerRecord } from '../../actors/scheduler/workers.js';
import type { Worker } from '../../actors/worker/worker.js';
import type { MemberId } from '../../proto/ids.js';
import { type Place, places } from '../../proto/messages.js';
import type { Process, Resident } from './process.js';
import { phases, type Scenario } from './scenario.js';
import { require } from './violation.js';

interface RouterInside {
  readonly hedging: { readonly watched: readonly unknown[] };
}

interface SchedulerInside {
  readonly settling: boolean;
  readonly waking: { readonly wishes: ReadonlyMap<Lane, { readonly worker: WorkerRecord | undefined }> };
}

export const payloadBytesMax = 20_000;
export const jobBytes = 100;
export const queueBytesMax = 15_000;

export function checkResident(process: Process, resident: Resident, scenario: Scenario): void {
  if (resident.name === 'router') checkRouter(process, resident, scenario);
  else if (resident.name === 'scheduler') checkScheduler(process, resident, scenario);
  else if (resident.name === 'worker') checkWorker(process, resident.inner as Worker, scenario);
}

function checkRouter(process: Process, { inner, timers }: Resident, { jobsMax, lossesMax }: Scenario): void {
  const router = inner as Router;
  require(router.violations === 0, 'chart', () =>
    `${process.id} moved a job against its chart or ended it for no listed reason`);
  require(router.liveJobs <= jobsMax, 'I5', () =>
    `${process.id} holds ${router.liveJobs} jobs, at most ${jobsMax}`);
  let soonest = Number.POSITIVE_INFINITY;
  let bytes = 0;
  let postponed = false;
  for (const job of router.allJobs()) {
    soonest = Math.min(soonest, job.deadline);
    if (job.is('sharing')) {
      require(job.sharers?.leader.ended === false, 'I10', () =>
        `${process.id} has job ${job.number} wait beside one that has ended`);
    }
    bytes += job.spec.bytes;
    postponed ||= job.is('retrying');
    require(job.wheelSlot >= 0, 'I10', () => `${process.id} has job ${job.number} without a deadline`);
    require(job.losses < lossesMax && job.deaths <= (job.is('retrying') ? 2 : 1), 'I7', () =>
      `job ${job.number} has lost ${job.losses} workers`);
  }
  require(bytes <= payloadBytesMax, 'I5', () => `${process.id} holds ${bytes} bytes of payload`);
  if (soonest === Number.POSITIVE_INFINITY) return;
  const wakesAt = timers.get('deadlines')?.at ?? Number.POSITIVE_INFINITY;
  require(wakesAt <= soonest + 2.5, 'I10', () =>
    `${process.id} wakes at ${wakesAt} for a deadline at ${soonest}`);
  const { watched } = (router as unknown as RouterInside).hedging;
  require(watched.length === 0 || timers.has('hedges'), 'I10', () =>
    `${process.id} has forgotten to look after runs that it may double`);
  require(!postponed || timers.has('retries'), 'I10', () =>
    `${process.id} has forgotten a job that is to be retried`);
}

function checkScheduler(process: Process, resident: Resident, scenario: Scenario): void {
  const scheduler = resident.inner as Scheduler;
  const { credits } = scenario;
  const { settling, waking } = scheduler as unknown as SchedulerInside;
  const isAwake = resident.timers.has('dispatch') || settling;
  for (const lane of scheduler.lanes.values()) {
    checkCounts(process, lane);
    if (lane.queue.count === 0) continue;
    if (!isAwake) checkReason(process, scheduler, lane);
    if (!settling) checkAsked(process, scheduler, lane, waking.wishes.get(lane)?.worker);
  }
  for (const worker of scheduler.registry.all()) {
    if (worker.batches.size === 0 && worker.rowsHeld === 0 && isUnused(worker.used)) continue;
    const used = { inline: 0, thread: 0 };
    let rows = 0;
    for (const batch of worker.batches.values()) {
      used[batch.place]++;
      rows += batch.rows;
    }
    const { id } = worker;
    require(worker.rowsHeld === rows, 'I5', () =>
      `${process.id} counts ${worker.rowsHeld} rows at ${id}, it has ${rows}`);
    for (const place of places) {
      const counted = worker.used[place];
      require(counted === used[place], 'I5', () =>
        `${process.id} counts ${counted} credits used at ${id}, not ${used[place]}`);
      require(counted <= credits[place], 'I5', () =>
        `${process.id} uses ${counted} of ${credits[place]} credits of ${id}`);
    }
  }
}

function isUnused({ inline, thread }: Readonly<Record<Place, number>>): boolean {
  return inline === 0 && thread === 0;
}

/** What a queue counts is what waits in it. */
function checkCounts(process: Process, { key, queue }: Lane): void {
  const { backlog } = queue;
  if (queue.count === 0 && backlog.rows === 0 && queue.rows === 0 && queue.bytes === 0 && queue.sorts === 0)
    return;
  let count = 0;
  let bytes = 0;
  const rows = [0, 0, 0];
  for (const entry of queue.all()) {
    count++;
    bytes += entry.bytes;
    for (let level = entry.priority; level < rows.length; level++)
      rows[level] = (rows[level] as number) + entry.rows;
  }
  require(count === queue.count && bytes === queue.bytes && rows[2] === queue.rows, 'I5', () =>
    `${process.id} counts ${queue.count} jobs, ${queue.rows} rows, ${queue.bytes} bytes for ${key}: ${count}, ${rows[2]}, ${bytes} wait`);
  for (let level = 0; level < rows.length; level++) {
    const known = backlog.ahead(level + 1, Number.NEGATIVE_INFINITY);
    require(known === rows[level], 'I5', () =>
      `${process.id} has ${known} rows up to priority ${level} in the backlog of ${key}, ${rows[level]} wait`);
  }
}

/** Somebody waits and nobody will look again: then all who could run it must be at work. */
function checkReason(process: Process, scheduler: Scheduler, { key, batching }: Lane): void {
  const crew = scheduler.registry.crew(key, batching);
  const isFree = crew.length > 0 && crew.every(({ worker, share }) => worker.isIdle(share.place));
  require(!isFree, 'I10', () =>
    `${process.id} has jobs wait for ${key} beside idle workers, without a timer`);
}

/** Somebody waits for a model that rests wherever it is: then one of those workers has been asked for it. */
function checkAsked(
  process: Process,
  scheduler: Scheduler,
  { key, batching }: Lane,
  asked: WorkerRecord | undefined,
): void {
  const all = [...scheduler.registry.trusted()].filter(
    (worker) => worker.takesWork && batching.needs.every((tag) => worker.tags.has(tag)),
  );
  const isBusy = all.some(({ shares }) => {
    const state = shares.get(key)?.state;
    return state === 'ready' || state === 'retiring' || state === 'loading';
  });
  if (isBusy) return;
  const resting = all.filter(({ shares }) => {
    const share = shares.get(key);
    return share !== undefined && isAtRest(share);
  });
  require(resting.length === 0 || (asked !== undefined && resting.includes(asked)), 'I10', () =>
    `${process.id} has jobs wait for ${key}, which rests, and has asked nobody to load it`);
}

function checkWorker(process: Process, worker: Worker, { credits }: Scenario): void {
  const held = new Map<MemberId, number>();
  for (const { run } of worker.heldBatches()) held.set(run.scheduler, (held.get(run.scheduler) ?? 0) + 1);
  const granted = credits.inline + credits.thread;
  for (const [scheduler, count] of held) {
    require(count <= granted, 'I5', () =>
      `${process.id} holds ${count} batches of ${scheduler}, it granted ${granted}`);
  }
}

/** When no client waits any more: nothing is queued, nothing is held, every credit is back. */
export function checkRest(process: Process, { name, inner }: Resident, stuck: ReadonlySet<MemberId>): void {
  if (name === 'router') {
    const { liveJobs } = inner as Router;
    require(liveJobs === 0, 'I1', () => `${process.id} still has ${liveJobs} jobs at the end`);
  }
  if (name === 'worker' && !process.frozen) {
    const held = [...(inner as Worker).heldBatches()]
      .filter((one) => isOld(one.takenAt))
      .map(({ key }) => key);
    require(held.length === 0, 'I5', () => `${process.id} still holds ${held} at the end`);
  }
  if (name !== 'scheduler') return;
  const { lanes, registry } = inner as Scheduler;
  for (const worker of registry.all()) {
    // Nobody may have seen that it is stuck: health was away when it was.
    if (stuck.has(worker.id)) continue;
    const out = [...worker.batches.values()].filter((one) => isOld(one.assignedAt)).map((one) => one.batch);
    require(out.length === 0, 'I5', () =>
      `${process.id} still has batches ${out} at ${worker.id} at the end`);
  }
  for (const { key, queue, chart } of lanes.values()) {
    const servers = [...registry.all()].filter((worker) => worker.serving(key) !== undefined);
    const served = chart.has('routable') && servers.some(({ id }) => !stuck.has(id));
    require(queue.count === 0 || !served, 'I5', () =>
      `${process.id} still has ${queue.count} jobs waiting for ${key}`);
  }
}

/** The last that were begun may run on, at a slow worker one behind the other. */
function isOld(at: number): boolean {
  return at < phases.ends - 150;
}
