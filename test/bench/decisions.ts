// What deciding costs: the real router and scheduler with stand-in workers that answer every batch at once, with ten
// thousand jobs queued all the time. No sockets, no tensors, no model: only who gets what, and every job's one end.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Heard } from '../../actors/actor.js';
import type { Effect } from '../../actors/effects.js';
import { Router } from '../../actors/router/router.js';
import { Scheduler } from '../../actors/scheduler/scheduler.js';
import type { MemberId } from '../../proto/ids.js';
import type { JobSpec } from '../../proto/job.js';
import type { Said } from '../../proto/messages.js';
import { type Args, interleave, saySpread, spread } from './figures.js';

export const about = 'jobs per second through the decisions alone, and what a live job weighs';
export const flags = {
  queued: 'how many jobs are queued all the time (10000)',
  jobs: 'how many jobs end in a round (150000)',
  rounds: 'how many rounds (5)',
  rows: 'how many jobs a batch takes (8)',
};

const router = 'router-1.aaaaaa';
const scheduler = 'scheduler-1.bbbbbb';
const workers = [1, 2, 3, 4].map((number) => `worker-${number}.cccccc`);
const model = 'digits';
const version = '1';

export async function run(args: Args): Promise<Record<string, number>> {
  const queued = args.number('queued', 10_000);
  const jobs = args.number('jobs', 150_000);
  const rows = args.number('rows', 8);
  const figures = await interleave(args.number('rounds', 5), {
    batched: () => perSecond(queued, jobs, rows),
    alone: () => perSecond(queued, jobs, 1),
  });
  saySpread(`jobs per second, batches of ${rows}`, figures.batched);
  saySpread('jobs per second, one by one', figures.alone);
  const weights = spread([1, 2, 3, 4, 5].map(() => bytesPerLiveJob(queued)));
  saySpread('bytes per live job', weights);
  return {
    jobsPerSecond: figures.batched.median,
    jobsPerSecondOneByOne: figures.alone.median,
    bytesPerLiveJob: weights.median,
  };
}

/** Per second of a core's time, collecting garbage included: what else the machine does meanwhile is not counted. */
function perSecond(queued: number, jobs: number, rowsMax: number): number {
  const system = new System(rowsMax);
  for (let job = 0; job < queued; job++) system.submit();
  system.settle();
  const begun = process.cpuUsage();
  system.work(jobs);
  const { user, system: kernel } = process.cpuUsage(begun);
  const seconds = (user + kernel) / 1e6;
  if (system.ended < jobs) throw new Error(`only ${system.ended} of ${jobs} jobs ended`);
  return system.ended / seconds;
}

function bytesPerLiveJob(queued: number): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const system = new System(1);
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
  ended = 0;

  constructor(rowsMax: number) {
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
      const share = {
        model,
        version,
        state: 'ready',
        place: 'thread',
        rowsMax,
        runMs: 0.1,
        reason: '',
      } as const;
      this.tell(scheduler, { type: 'share.changed', epoch: index + 1, ...share }, worker);
    }
    this.deliver();
  }

  get live(): number {
    return this.router.liveJobs;
  }

  submit(): void {
    const spec: JobSpec = {
      model,
      version,
      rows: 1,
      shapeKey: 'input:FP32[64]>',
      inputs: [{ name: 'input', datatype: 'FP32', shape: [1, 64] }],
      outputs: [],
      bytes: 256,
      priority: 0,
      // In no order, so that the queue has something to sort.
      budgetMs: 30_000 + ((this.submitted * 7919) % 30_011),
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
    while (this.ended < jobs && this.letters.length > 0) this.deliver();
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
      else if (effect.type === 'reply') {
        if (effect.end.ending !== 'completed') throw new Error(`a job ended ${effect.end.ending}`);
        this.ended++;
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
        computeMs: 0.1,
        outputMs: 0,
      },
      worker,
    );
    this.tell(
      run.scheduler,
      { type: 'batch.released', batch, epoch, rows: jobs.length, computeMs: 0.1 },
      worker,
    );
  }

  private tell(to: MemberId, heard: Heard, from: MemberId): void {
    this.letters.push({ to, heard, from });
  }
}
