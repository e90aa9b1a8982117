// The real router and scheduler in virtual time, with stand-in workers that take as long as they are told to: several
// models on the same workers, each worker with a pace of its own. No sockets and no tensors, so the only noise is the
// one that a seed brings.
import type { Heard } from '../../../actors/actor.js';
import type { Effect } from '../../../actors/effects.js';
import { Router } from '../../../actors/router/router.js';
import { Scheduler } from '../../../actors/scheduler/scheduler.js';
import type { MemberId } from '../../../proto/ids.js';
import type { JobSpec } from '../../../proto/job.js';
import type { Said } from '../../../proto/messages.js';

const router = 'router';
const scheduler = 'scheduler';
const version = '1';
const warmUps = [1, 2, 4, 8, 16, 32, 64];

export interface VirtualOrder {
  readonly models: readonly string[];
  readonly workers: number;
  readonly rowsMax: number;
  /** Milliseconds of a run, before noise. */
  readonly costMs: (rows: number, worker: number, model: string) => number;
  /** What it is multiplied with, run after run. */
  readonly noise: () => number;
  readonly ended: (job: number, ending: string, now: number) => void;
}

interface Letter {
  readonly to: MemberId;
  readonly heard: Heard;
  readonly from: MemberId;
}

interface Timer {
  at: number;
  readonly of: MemberId;
  readonly timer: string;
}

interface Worker {
  readonly index: number;
  readonly id: MemberId;
  readonly waiting: Said<'batch.run'>[];
  running: Said<'batch.run'> | undefined;
  startedAt: number;
  doneAt: number;
}

export interface Ask {
  readonly model: string;
  readonly budgetMs: number;
  readonly priority?: number;
  readonly shape?: number;
}

export class VirtualSystem {
  now = 0;
  private readonly order: VirtualOrder;
  private readonly router = new Router(
    { jobsMax: 1e6, payloadBytesMax: 1e12, lossesMax: 5, joinBytesMax: 1e6 },
    0,
  );
  private readonly scheduler = new Scheduler({
    lane: { depthMax: 1e6, bytesMax: 1e12 },
    choice: 'earliest-finish',
    admission: true,
    reconcileMs: 1e9,
  });
  private readonly workers: readonly Worker[];
  private readonly timers = new Map<string, Timer>();
  private letters: Letter[] = [];
  private settling = false;
  private submitted = 0;

  constructor(order: VirtualOrder) {
    this.order = order;
    this.workers = Array.from({ length: order.workers }, (_, index) => ({
      index,
      id: `worker-${index}`,
      waiting: [],
      running: undefined,
      startedAt: 0,
      doneAt: Number.POSITIVE_INFINITY,
    }));
    this.meet();
  }

  get live(): number {
    return this.router.liveJobs;
  }

  /** The number of the job that comes now. */
  submit({ model, budgetMs, priority = 0, shape = 64 }: Ask): number {
    const spec: JobSpec = {
      model,
      version,
      rows: 1,
      shapeKey: `input:FP32[${shape}]>`,
      inputs: [{ name: 'input', datatype: 'FP32', shape: [1, shape] }],
      outputs: [],
      bytes: 4 * shape,
      priority,
      budgetMs,
      idempotent: true,
      identity: '',
      hedge: false,
    };
    const job = ++this.submitted;
    this.tell(router, { type: 'job.submitted', job, spec }, router);
    this.deliver();
    return job;
  }

  /** Everything that happens until then. */
  advance(until: number): void {
    for (;;) {
      const worker = this.workers.reduce((a, b) => (b.doneAt < a.doneAt ? b : a));
      let due: Timer | undefined;
      for (const timer of this.timers.values()) if (due === undefined || timer.at < due.at) due = timer;
      const timerAt = due?.at ?? Number.POSITIVE_INFINITY;
      const at = Math.min(timerAt, worker.doneAt);
      if (at > until) break;
      this.now = Math.max(this.now, at);
      if (due !== undefined && timerAt < worker.doneAt) {
        due.at = Number.POSITIVE_INFINITY;
        this.tell(due.of, { type: 'timer.fired', timer: due.timer }, due.of);
      } else this.finish(worker);
      this.deliver();
    }
    this.now = Math.max(this.now, until);
  }

  private meet(): void {
    const { models, rowsMax, costMs } = this.order;
    this.tell(router, { type: 'link.opened', member: scheduler, roles: ['scheduler'] }, router);
    this.tell(scheduler, { type: 'link.opened', member: router, roles: ['router'] }, scheduler);
    for (const { id } of this.workers) {
      this.tell(router, { type: 'link.opened', member: id, roles: ['worker'] }, router);
      this.tell(scheduler, { type: 'link.opened', member: id, roles: ['worker'] }, scheduler);
      const register = { name: id, device: 'cpu', tags: [], inlineCredits: 2, threadCredits: 2 };
      this.tell(scheduler, { type: 'worker.register', ...register }, id);
    }
    this.deliver();
    for (const { id, index } of this.workers) {
      const epoch = index + 1;
      for (const model of models) {
        const runs = warmUps
          .filter((rows) => rows <= rowsMax)
          .map((rows) => [rows, costMs(rows, index, model)] as const);
        this.tell(scheduler, { type: 'costs.measured', epoch, model, version, runs }, id);
        const share = {
          model,
          version,
          state: 'ready',
          place: 'thread',
          rowsMax,
          runMs: 1,
          reason: '',
          runsOn: 'cpu',
        } as const;
        this.tell(scheduler, { type: 'share.changed', epoch, ...share }, id);
      }
    }
    this.deliver();
  }

  private deliver(): void {
    while (this.letters.length > 0 || this.settling) {
      const letters = this.letters;
      this.letters = [];
      for (const letter of letters) this.hear(letter);
      if (this.letters.length > 0 || !this.settling) continue;
      this.settling = false;
      this.hear({ to: scheduler, heard: { type: 'tick.settled' }, from: scheduler });
    }
  }

  private hear({ to, heard, from }: Letter): void {
    if (to === router) this.perform(this.router.receive(heard, from, this.now), router);
    else if (to === scheduler) this.perform(this.scheduler.receive(heard, from, this.now), scheduler);
    else if (heard.type === 'batch.run') this.take(to, heard);
  }

  private perform(effects: readonly Effect[], of: MemberId): void {
    for (const effect of effects) {
      if (effect.type === 'send') this.tell(effect.to, effect.message, of);
      else if (effect.type === 'settle') this.settling = true;
      else if (effect.type === 'arm') this.arm(of, effect.timer, effect.at);
      else if (effect.type === 'disarm') this.arm(of, effect.timer, Number.POSITIVE_INFINITY);
      else if (effect.type === 'reply') this.order.ended(effect.job, effect.end.ending, this.now);
    }
  }

  private arm(of: MemberId, timer: string, at: number): void {
    const key = `${of} ${timer}`;
    const armed = this.timers.get(key);
    if (armed === undefined) this.timers.set(key, { at, of, timer });
    else armed.at = at;
  }

  private take(id: MemberId, run: Said<'batch.run'>): void {
    const worker = this.workers.find((one) => one.id === id) as Worker;
    worker.waiting.push(run);
    if (worker.running === undefined) this.begin(worker);
  }

  private begin(worker: Worker): void {
    const run = worker.waiting.shift();
    const { costMs, noise } = this.order;
    worker.running = run;
    worker.startedAt = this.now;
    worker.doneAt =
      run === undefined
        ? Number.POSITIVE_INFINITY
        : this.now + costMs(run.jobs.length, worker.index, run.model) * noise();
  }

  private finish(worker: Worker): void {
    const { batch, epoch, jobs, attempts, rows } = worker.running as Said<'batch.run'>;
    const computeMs = this.now - worker.startedAt;
    this.tell(
      router,
      {
        type: 'batch.finished',
        ...{ batch, epoch, jobs, attempts, rows, computeMs, reason: '', inputMs: 0, outputMs: 0 },
        codes: jobs.map(() => ''),
        outputs: [['output', 'FP32', [jobs.length, 10]]],
        sizes: [[]],
      },
      worker.id,
    );
    const released = { batch, epoch, computeMs, rows: jobs.length, fault: false };
    this.tell(scheduler, { type: 'batch.released', ...released }, worker.id);
    this.begin(worker);
  }

  private tell(to: MemberId, heard: Heard, from: MemberId): void {
    this.letters.push({ to, heard, from });
  }
}
