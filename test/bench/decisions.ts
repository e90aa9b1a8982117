// What deciding costs: the real router and scheduler with stand-in workers that answer every batch at once, with ten
// thousand jobs queued all the time. No sockets, no tensors, no model: only who gets what, and every job's one end.
// `everything`: several models and shapes, all priorities, costs that admission knows; `tight` is with deadlines that it has to weigh.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Heard } from '../../actors/actor.js';
import type { Effect } from '../../actors/effects.js';
import { Router } from '../../actors/router/router.js';
import { Scheduler } from '../../actors/scheduler/scheduler.js';
import type { MemberId } from '../../proto/ids.js';
import type { JobSpec } from '../../proto/job.js';
import type { Said } from '../../proto/messages.js';
import { type Args, interleave, say, saySpread, spread } from './figures.js';

export const about = 'jobs per second through the decisions alone, and what a live job weighs';
export const flags = {
  queued: 'how many jobs are queued all the time (10000)',
  jobs: 'how many jobs end in a round (150000)',
  rounds: 'how many rounds (5)',
  rows: 'how many jobs a batch takes (8)',
  memory: 'over how many jobs the memory is watched, 10000000 for the long form (1000000)',
};

const router = 'router-1.aaaaaa';
const scheduler = 'scheduler-1.bbbbbb';
const workers = [1, 2, 3, 4].map((number) => `worker-${number}.cccccc`);
const version = '1';
const runMs = 0.1;

/** What comes: of one kind, or of everything. */
interface Mix {
  readonly models: readonly string[];
  readonly sizes: readonly number[];
  readonly priorities: readonly number[];
  /** The shortest deadline and how far the others are spread beyond it. */
  readonly budgetMs: readonly [least: number, spread: number];
}

const plain: Mix = { models: ['digits'], sizes: [64], priorities: [0], budgetMs: [30_000, 30_011] };
const everything: Mix = {
  models: ['digits', 'wide', 'text'],
  sizes: [64, 128, 256],
  priorities: [0, 0, 1, 2],
  budgetMs: [3000, 30_011],
};
/** Some have to go before thousands, and not all of them can be taken. */
const tight: Mix = { ...everything, budgetMs: [20, 397] };

export async function run(args: Args): Promise<Record<string, number>> {
  const queued = args.number('queued', 10_000);
  const jobs = args.number('jobs', 150_000);
  const rows = args.number('rows', 8);
  const figures = await interleave(args.number('rounds', 5), {
    batched: () => perSecond(queued, jobs, rows),
    alone: () => perSecond(queued, jobs, 1),
    everything: () => perSecond(queued, jobs, rows, everything),
    tight: () => perSecond(queued, jobs / 3, rows, tight),
  });
  saySpread(`jobs per second, batches of ${rows}`, figures.batched);
  saySpread('jobs per second, one by one', figures.alone);
  saySpread(`jobs per second, everything on, batches of ${rows}`, figures.everything);
  saySpread('the same with deadlines of 20 ms and more', figures.tight);
  const weights = spread([1, 2, 3, 4, 5].map(() => bytesPerLiveJob(queued)));
  saySpread('bytes per live job', weights);
  const watched = args.number('memory', 1_000_000);
  const growth = heapGrowth(watched, rows);
  say(`  the heap has grown by ${Math.round(growth / 1024)} KiB over ${watched} jobs`);
  return {
    jobsPerSecond: figures.batched.median,
    jobsPerSecondEverything: figures.everything.median,
    jobsPerSecondTight: figures.tight.median,
    jobsPerSecondOneByOne: figures.alone.median,
    bytesPerLiveJob: weights.median,
    heapGrowthBytes: growth,
  };
}

/** Per second of a core's time, collecting garbage included: what else the machine does meanwhile is not counted. */
function perSecond(queued: number, jobs: number, rowsMax: number, mix = plain): number {
  const system = new System(rowsMax, mix);
  for (let job = 0; job < queued; job++) system.submit();
  system.settle();
  const begun = process.cpuUsage();
  system.work(jobs);
  const { user, system: kernel } = process.cpuUsage(begun);
  const seconds = (user + kernel) / 1e6;
  if (system.ended < jobs) throw new Error(`only ${system.ended} of ${jobs} jobs ended`);
  if (mix === plain && system.refused > 0) throw new Error(`${system.refused} jobs were not completed`);
  return system.ended / seconds;
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

/** From when a tenth of them has ended: what is kept on purpose is there by then. */
function heapGrowth(jobs: number, rowsMax: number): number {
  const collect = collector();
  const system = new System(rowsMax, tight);
  for (let job = 0; job < 1000; job++) system.submit();
  system.settle();
  system.work(jobs / 10);
  collect();
  const before = process.memoryUsage().heapUsed;
  system.work(jobs);
  collect();
  return process.memoryUsage().heapUsed - before;
}

function bytesPerLiveJob(queued: number): number {
  const collect = collector();
  const system = new System(1, plain);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let job = 0; job < queued; job++) system.submit();
  system.settle();
  collect();
  const after = process.memoryUsage().heapUsed;
  if (system.live !== queued) throw new Error(`${system.live} of ${queued} jobs are live`);
  return (after - before) / queued;
}

interface Letter {
  readonly to: MemberId;
  readonly heard: Heard;
  readonly from: MemberId;
}

function oneOf<T>(all: readonly T[], chance: number): T {
  return all[chance % all.length] as T;
}

const shapeKeys = new Map([64, 128, 256].map((size) => [size, `input:FP32[${size}]>`]));

/** Delivers what the actors say to each other; the workers answer at once. */
class System {
  private readonly router = new Router(
    { jobsMax: 1e6, payloadBytesMax: 1e12, lossesMax: 5, joinBytesMax: 1e6 },
    0,
  );
  private readonly scheduler = new Scheduler({
    lane: { depthMax: 1e6, bytesMax: 1e12 },
    choice: 'earliest-finish',
    admission: true,
    reconcileMs: 1000,
  });
  private letters: Letter[] = [];
  private settling = false;
  private now = 1;
  private submitted = 0;
  private open = false;
  private readonly held: Letter[] = [];
  private readonly timers = new Map<string, { at: number; readonly of: MemberId; readonly timer: string }>();
  private readonly mix: Mix;
  ended = 0;
  refused = 0;

  constructor(rowsMax: number, mix: Mix) {
    this.mix = mix;
    this.tell(router, { type: 'link.opened', member: scheduler, roles: ['scheduler'] }, router);
    this.tell(scheduler, { type: 'link.opened', member: router, roles: ['router'] }, scheduler);
    for (const worker of workers) {
      this.tell(router, { type: 'link.opened', member: worker, roles: ['worker'] }, router);
      this.tell(scheduler, { type: 'link.opened', member: worker, roles: ['worker'] }, scheduler);
      const credits = { inlineCredits: 2, threadCredits: 2 };
      this.tell(
        scheduler,
        { type: 'worker.register', name: worker, device: 'cpu', tags: [], ...credits },
        worker,
      );
    }
    this.deliver();
    for (const [index, worker] of workers.entries()) {
      for (const model of mix.models) {
        const of = { epoch: index + 1, model, version };
        const share = {
          state: 'ready',
          place: 'thread',
          rowsMax,
          runMs: 0.1,
          reason: '',
          runsOn: 'cpu',
        } as const;
        if (mix !== plain) {
          const runs = [[1, runMs / 2] as const, [rowsMax, runMs] as const];
          this.tell(scheduler, { type: 'costs.measured', ...of, runs }, worker);
        }
        this.tell(scheduler, { type: 'share.changed', ...of, ...share }, worker);
      }
    }
    this.deliver();
  }

  get live(): number {
    return this.router.liveJobs;
  }

  submit(): void {
    const { models, sizes, priorities, budgetMs } = this.mix;
    // In no order, so that the queue has something to sort.
    const chance = (this.submitted * 7919) % 30_011;
    const size = oneOf(sizes, chance);
    const spec: JobSpec = {
      model: oneOf(models, chance >> 2),
      version,
      rows: 1,
      shapeKey: shapeKeys.get(size) as string,
      inputs: [{ name: 'input', datatype: 'FP32', shape: [1, size] }],
      outputs: [],
      bytes: 4 * size,
      priority: oneOf(priorities, chance >> 4),
      budgetMs: budgetMs[0] + (chance % budgetMs[1]),
      idempotent: true,
      identity: '',
      hedge: false,
    };
    this.tell(router, { type: 'job.submitted', job: ++this.submitted, spec }, router);
  }

  /** Until nothing is left to be said while the workers hold on to what they have. */
  settle(): void {
    this.deliver();
  }

  /** The workers answer, and every job that ends is followed by a new one. */
  work(jobs: number): void {
    this.open = true;
    this.letters.push(...this.held.splice(0));
    while (this.ended < jobs && (this.letters.length > 0 || this.timers.size > 0)) {
      this.ring();
      this.deliver();
    }
  }

  /** Timers that are due; the next one, where nobody has anything to say before it. */
  private ring(): void {
    if (this.letters.length === 0 && !this.settling) {
      let next = Number.POSITIVE_INFINITY;
      for (const { at } of this.timers.values()) next = Math.min(next, at);
      this.now = Math.max(this.now, next);
    }
    for (const [key, { at, of, timer }] of this.timers) {
      if (at > this.now) continue;
      this.timers.delete(key);
      this.tell(of, { type: 'timer.fired', timer }, of);
    }
  }

  private deliver(): void {
    while (this.letters.length > 0 || this.settling) {
      const letters = this.letters;
      this.letters = [];
      for (const { to, heard, from } of letters) this.hear(to, heard, from);
      if (this.letters.length === 0 && this.settling) {
        this.settling = false;
        this.hear(scheduler, { type: 'tick.settled' }, scheduler);
      }
      if (this.open) return;
    }
  }

  private hear(to: MemberId, heard: Heard, from: MemberId): void {
    this.now += 0.001;
    if (to === router) this.perform(this.router.receive(heard, from, this.now), router);
    else if (to === scheduler) this.perform(this.scheduler.receive(heard, from, this.now), scheduler);
    else if (heard.type === 'batch.run') this.answer(to, heard, from);
  }

  private perform(effects: readonly Effect[], of: MemberId): void {
    for (const effect of effects) {
      if (effect.type === 'send') this.tell(effect.to, effect.message, of);
      else if (effect.type === 'settle') this.settling = true;
      else if (effect.type === 'arm') {
        const { timer, at } = effect;
        this.timers.set(`${of} ${timer}`, { at, of, timer });
      } else if (effect.type === 'disarm') this.timers.delete(`${of} ${effect.timer}`);
      else if (effect.type === 'reply') {
        if (effect.end.ending === 'completed') this.ended++;
        else this.refused++;
        this.submit();
      }
    }
  }

  private answer(worker: MemberId, run: Said<'batch.run'>, of: MemberId): void {
    if (!this.open) {
      this.held.push({ to: worker, heard: run, from: of });
      return;
    }
    const { batch, epoch, jobs, attempts, rows } = run;
    this.tell(
      of,
      {
        type: 'batch.finished',
        batch,
        epoch,
        jobs,
        attempts,
        rows,
        codes: jobs.map(() => ''),
        reason: '',
        outputs: [['output', 'FP32', [jobs.length, 10]]],
        sizes: [[]],
        inputMs: 0,
        computeMs: runMs,
        outputMs: 0,
      },
      worker,
    );
    this.tell(
      run.scheduler,
      { type: 'batch.released', batch, epoch, rows: jobs.length, computeMs: runMs, fault: false },
      worker,
    );
  }

  private tell(to: MemberId, heard: Heard, from: MemberId): void {
    this.letters.push({ to, heard, from });
  }
}
