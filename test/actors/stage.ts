// A stage for one router: its neighbours' lines are spoken by the test, and what it wants done is kept by kind.

import type { Heard } from '../../actors/actor.js';
import type { Effect, Note, Reply } from '../../actors/effects.js';
import { coverTimer, Router, type RouterLimits, routerDefaults } from '../../actors/router/router.js';
import { batchingDefaults } from '../../proto/batching.js';
import type { MemberId, Role } from '../../proto/ids.js';
import type { JobSpec } from '../../proto/job.js';
import type { Message, MessageType, Said } from '../../proto/messages.js';

export const router = 'router-1.aaaaaa';
export const scheduler = 'scheduler-1.bbbbbb';
export const worker = 'worker-1.cccccc';
export const otherWorker = 'worker-2.dddddd';
export const digits = { model: 'digits', version: '1' } as const;

export interface Told {
  readonly to: MemberId;
  readonly message: Message;
}

/** The effects of one kind. */
export function only<T extends Effect['type']>(
  effects: readonly Effect[],
  type: T,
): Extract<Effect, { type: T }>[] {
  return effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
}

/** What is said to others, in order. */
export function told(effects: readonly Effect[]): Told[] {
  return only(effects, 'send').map(({ to, message }) => ({ to, message }));
}

export function said<T extends MessageType>(effects: readonly Effect[], type: T): Said<T>[] {
  return told(effects)
    .map(({ message }) => message)
    .filter((message): message is Said<T> => message.type === type);
}

export function specOf(changes: Partial<JobSpec> = {}): JobSpec {
  return {
    ...digits,
    rows: 1,
    shapeKey: 'input:FP32[64]>',
    inputs: [{ name: 'input', datatype: 'FP32', shape: [1, 64] }],
    outputs: [],
    bytes: 256,
    priority: 0,
    budgetMs: 1000,
    idempotent: true,
    identity: '',
    hedge: false,
    ...changes,
  };
}

export class RouterStage {
  readonly router: Router;
  now = 0;
  /** What the scheduler says of each batch's run and way. */
  costMs = 0;
  transportMs = 0;
  private submitted = 0;
  private batches = 0;

  constructor(limits: Partial<RouterLimits> = {}) {
    const usual = { jobsMax: 100, payloadBytesMax: 1e6, lossesMax: 5, joinBytesMax: 1e6 };
    this.router = new Router({ ...usual, ...limits }, 0);
  }

  /** With a scheduler, two workers and a model that both have ready. */
  static usual(limits: Partial<RouterLimits> = {}): RouterStage {
    const stage = new RouterStage(limits);
    stage.link(scheduler, 'scheduler');
    stage.link(worker, 'worker');
    stage.link(otherWorker, 'worker');
    stage.hear(
      {
        type: 'models.listed',
        models: [{ ...digits, broken: '', runMaxMs: 1000, batching: batchingDefaults }],
      },
      router,
    );
    stage.report(2, 0);
    return stage;
  }

  hear(heard: Heard, from: MemberId = router): Effect[] {
    return this.router.receive(heard, from, this.now);
  }

  link(member: MemberId, ...roles: Role[]): Effect[] {
    return this.hear({ type: 'link.opened', member, roles });
  }

  unlink(member: MemberId): Effect[] {
    return this.hear({ type: 'link.lost', member, reason: 'closed' });
  }

  report(ready: number, failed: number, reason = '', loading = 0): Effect[] {
    return this.hear(
      {
        type: 'model.reported',
        ...digits,
        ready,
        loading,
        failed,
        resting: 0,
        reason,
        policy: 'eager',
        why: '',
        runsOn: [],
      },
      scheduler,
    );
  }

  /** Submits a job; its number is `last`. */
  submit(changes: Partial<JobSpec> = {}): Effect[] {
    return this.hear({ type: 'job.submitted', job: ++this.submitted, spec: specOf(changes) });
  }

  get last(): number {
    return this.submitted;
  }

  get lastBatch(): number {
    return this.batches;
  }

  /** Has the scheduler place jobs together, each at its present attempt. */
  assign(jobs: readonly number[], to: MemberId = worker, solo = false, epoch = 1): Effect[] {
    const attempts = jobs.map((job) => this.router.job(job)?.attempt ?? 1);
    const batch = ++this.batches;
    const { costMs, transportMs } = this;
    return this.hear(
      { type: 'batch.assign', batch, worker: to, epoch, solo, jobs, attempts, costMs, transportMs },
      scheduler,
    );
  }

  /** What the worker says of the last batch, before its own fields. */
  word(...jobs: readonly number[]): { batch: number; epoch: number; jobs: number[]; attempts: number[] } {
    const attempts = jobs.map((job) => this.router.job(job)?.attempt ?? 1);
    return { batch: this.batches, epoch: 1, jobs: [...jobs], attempts };
  }

  start(jobs: readonly number[], from: MemberId = worker): Effect[] {
    return this.hear({ type: 'batch.started', ...this.word(...jobs) }, from);
  }

  finish(
    jobs: readonly number[],
    codes: Said<'batch.finished'>['codes'],
    from: MemberId = worker,
    changes: Partial<Said<'batch.finished'>> = {},
  ): Effect[] {
    const rows = jobs.map((job) => this.router.job(job)?.spec.rows ?? 1);
    const times = { inputMs: 1, computeMs: 2, outputMs: 3 };
    const reason = codes.every((code) => code === '') ? '' : 'the model said so';
    const word = this.word(...jobs);
    const finished = { ...word, rows, codes, reason, outputs: [], sizes: [], ...times, ...changes };
    return this.hear({ type: 'batch.finished', ...finished }, from);
  }

  /** What the scheduler says of a job that it does not keep. */
  refuse(code: Said<'job.refused'>['code'], job = this.last, reason = 'no room', retryAfterMs = 5): Effect[] {
    const attempt = this.router.job(job)?.attempt ?? 1;
    return this.hear({ type: 'job.refused', job, attempt, code, reason, retryAfterMs }, scheduler);
  }

  cancel(job = this.last): Effect[] {
    return this.hear({ type: 'job.cancelled', job, why: 'the client went away' });
  }

  exit(cause: Said<'worker.exited'>['cause'], of: MemberId = worker): Effect[] {
    return this.hear({ type: 'worker.exited', worker: of, cause, detail: '' }, 'host-1.eeeeee');
  }

  fire(timer: string): Effect[] {
    return this.hear({ type: 'timer.fired', timer });
  }

  /** What was ready until now and nobody answers counts no longer. */
  endGrace(): Effect[] {
    this.now += routerDefaults.coverGraceMs;
    return this.fire(coverTimer);
  }

  state(job = this.last): string | undefined {
    return this.router.job(job)?.path().at(-1)?.state;
  }
}

/** The one reply among the effects. */
export function replyOf(effects: readonly Effect[]): Reply {
  const replies = only(effects, 'reply');
  if (replies.length !== 1) throw new Error(`${replies.length} replies where one is due`);
  return replies[0] as Reply;
}

export function notes(effects: readonly Effect[]): Note[] {
  return only(effects, 'note');
}
