// The real router and schedulers with stand-in workers that answer every batch at once: no sockets, no tensors, no model,
// only who gets what, and every job's one end.
import type { Heard } from '../../../actors/actor.js';
import type { Effect } from '../../../actors/effects.js';
import { Router } from '../../../actors/router/router.js';
import { Scheduler } from '../../../actors/scheduler/scheduler.js';
import type { MemberId } from '../../../proto/ids.js';
import type { JobSpec } from '../../../proto/job.js';
import type { Said } from '../../../proto/messages.js';

const router = 'router-1.aaaaaa';
const workers = [1, 2, 3, 4].map((number) => `worker-${number}.cccccc`);
const version = '1';
const runMs = 0.1;

/** What comes: of one kind, or of everything. */
export interface Mix {
  readonly models: readonly string[];
  readonly sizes: readonly number[];
  readonly priorities: readonly number[];
  /** The shortest deadline and how far the others are spread beyond it. */
  readonly budgetMs: readonly [least: number, spread: number];
  /** Workers tell what runs cost. */
  readonly measured: boolean;
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
export class System {
  private readonly router = new Router(
    { jobsMax: 1e6, payloadBytesMax: 1e12, lossesMax: 5, joinBytesMax: 1e6 },
    0,
  );
  private readonly schedulers = new Map<MemberId, Scheduler>();
  private letters: Letter[] = [];
  private readonly settling = new Set<MemberId>();
  private now = 1;
  private submitted = 0;
  private open = false;
  private readonly held: Letter[] = [];
  private readonly timers = new Map<string, { at: number; readonly of: MemberId; readonly timer: string }>();
  private readonly mix: Mix;
  ended = 0;
  refused = 0;

  constructor(rowsMax: number, mix: Mix, schedulerCount = 1) {
    this.mix = mix;
    for (let number = 1; number <= schedulerCount; number++) this.add(`scheduler-${number}.bbbbbb`);
    for (const worker of workers)
      this.tell(router, { type: 'link.opened', member: worker, roles: ['worker'] }, router);
    for (const scheduler of this.schedulers.keys()) this.enrol(scheduler, rowsMax);
  }

  private add(scheduler: MemberId): void {
    const settings = { choice: 'earliest-finish', admission: true, reconcileMs: 1000 } as const;
    this.schedulers.set(scheduler, new Scheduler({ lane: { depthMax: 1e6, bytesMax: 1e12 }, ...settings }));
    this.tell(router, { type: 'link.opened', member: scheduler, roles: ['scheduler'] }, router);
    this.tell(scheduler, { type: 'link.opened', member: router, roles: ['router'] }, scheduler);
  }

  private enrol(scheduler: MemberId, rowsMax: number): void {
    for (const worker of workers) {
      this.tell(scheduler, { type: 'link.opened', member: worker, roles: ['worker'] }, scheduler);
      const credits = { inlineCredits: 2, threadCredits: 2 };
      this.tell(
        scheduler,
        { type: 'worker.register', name: worker, device: 'cpu', tags: [], ...credits },
        worker,
      );
    }
    this.deliver();
    const ready = { state: 'ready', place: 'thread', rowsMax, runMs, reason: '', runsOn: 'cpu' } as const;
    for (const [index, worker] of workers.entries()) {
      for (const model of this.mix.models) {
        const of = { epoch: index + 1, model, version };
        if (this.mix.measured) {
          const runs = [[1, runMs / 2] as const, [rowsMax, runMs] as const];
          this.tell(scheduler, { type: 'costs.measured', ...of, runs }, worker);
        }
        this.tell(scheduler, { type: 'share.changed', ...of, ...ready }, worker);
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
    if (this.letters.length === 0 && this.settling.size === 0) {
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
    while (this.letters.length > 0 || this.settling.size > 0) {
      const letters = this.letters;
      this.letters = [];
      for (const { to, heard, from } of letters) this.hear(to, heard, from);
      if (this.letters.length === 0) {
        const settled = [...this.settling];
        this.settling.clear();
        for (const scheduler of settled) this.hear(scheduler, { type: 'tick.settled' }, scheduler);
      }
      if (this.open) return;
    }
  }

  private hear(to: MemberId, heard: Heard, from: MemberId): void {
    this.now += 0.001;
    if (to === router) this.perform(this.router.receive(heard, from, this.now), router);
    const scheduler = this.schedulers.get(to);
    if (scheduler !== undefined) this.perform(scheduler.receive(heard, from, this.now), to);
    else if (heard.type === 'batch.run') this.answer(to, heard, from);
  }

  private perform(effects: readonly Effect[], of: MemberId): void {
    for (const effect of effects) {
      if (effect.type === 'send') this.tell(effect.to, effect.message, of);
      else if (effect.type === 'settle') this.settling.add(of);
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
