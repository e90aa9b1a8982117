// The real router and scheduler in virtual time, with stand-in workers that take as long as a cell's costs say: what the
// figures of our own are measured on.

import type { Heard } from '../../../actors/actor.js';
import type { Effect } from '../../../actors/effects.js';
import { Router } from '../../../actors/router/router.js';
import { Scheduler } from '../../../actors/scheduler/scheduler.js';
import type { MemberId } from '../../../proto/ids.js';
import type { JobSpec } from '../../../proto/job.js';
import type { Said } from '../../../proto/messages.js';
import { type Cell, rowsMax } from './cells.js';

const router = 'router';
const scheduler = 'scheduler';
const model = 'model';
const version = '1';
const warmUps = [1, 2, 4, 8, 16, 32, 64, 128];

interface Letter {
  readonly to: MemberId;
  readonly heard: Heard;
  readonly from: MemberId;
}

interface Worker {
  readonly id: MemberId;
  readonly waiting: Said<'batch.run'>[];
  running: Said<'batch.run'> | undefined;
  startedAt: number;
  doneAt: number;
}

/** A batch that ran, for whoever looks at it afterwards. */
export interface Run {
  readonly worker: number;
  readonly startedAt: number;
  readonly doneAt: number;
  readonly jobs: readonly number[];
}

export class System {
  /** What became of each job: when it was answered; NaN while open; infinite when it was refused or given up. */
  readonly endedAt: Float64Array;
  readonly refused: Uint8Array;
  readonly runs: Run[] = [];
  now = 0;
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
  private letters: Letter[] = [];
  private settling: MemberId | undefined;
  private readonly timers = new Map<string, { at: number; readonly of: MemberId; readonly timer: string }>();
  private readonly workers: Worker[];
  private batches = 0;
  private submitted = 0;

  constructor(
    private readonly cell: Cell,
    private readonly noise: Float64Array,
    jobs: number,
    private readonly keepsRuns = false,
  ) {
    this.endedAt = new Float64Array(jobs).fill(Number.NaN);
    this.refused = new Uint8Array(jobs);
    this.workers = Array.from({ length: cell.workers }, (_, index) => ({
      id: `worker-${index}`,
      waiting: [],
      running: undefined,
      startedAt: 0,
      doneAt: Number.POSITIVE_INFINITY,
    }));
    this.meet();
  }

  /** Runs until `until` or, without anything left to do, until then. */
  advance(until: number): void {
    for (;;) {
      let at = until;
      let worker: Worker | undefined;
      for (let index = 0; index < this.workers.length; index++) {
        const one = this.workers[index] as Worker;
        if (one.doneAt <= at) {
          at = one.doneAt;
          worker = one;
        }
      }
      let due: { at: number; readonly of: MemberId; readonly timer: string } | undefined;
      for (const timer of this.timers.values()) {
        if (timer.at < at) {
          at = timer.at;
          due = timer;
        }
      }
      if (due !== undefined) {
        this.now = Math.max(this.now, due.at);
        due.at = Number.POSITIVE_INFINITY;
        this.tell(due.of, { type: 'timer.fired', timer: due.timer }, due.of);
      } else if (worker !== undefined) {
        this.now = at;
        this.finish(worker);
      } else break;
      this.deliver();
    }
    this.now = Math.max(this.now, until);
  }

  /** The next job comes now. */
  submit(): void {
    const spec: JobSpec = {
      model,
      version,
      rows: 1,
      shapeKey: 'input',
      inputs: [],
      outputs: [],
      bytes: 256,
      priority: 0,
      budgetMs: this.cell.sloMs,
      idempotent: true,
      identity: '',
      hedge: false,
    };
    this.tell(router, { type: 'job.submitted', job: ++this.submitted, spec }, router);
    this.deliver();
  }

  private meet(): void {
    this.tell(router, { type: 'link.opened', member: scheduler, roles: ['scheduler'] }, router);
    this.tell(scheduler, { type: 'link.opened', member: router, roles: ['router'] }, scheduler);
    for (const { id } of this.workers) {
      this.tell(router, { type: 'link.opened', member: id, roles: ['worker'] }, router);
      this.tell(scheduler, { type: 'link.opened', member: id, roles: ['worker'] }, scheduler);
      const register = { name: id, device: 'cpu', tags: [], inlineCredits: 2, threadCredits: 2 };
      this.tell(scheduler, { type: 'worker.register', ...register }, id);
    }
    this.deliver();
    const { meanMs } = this.cell.model;
    const runs = warmUps.map((rows) => [rows, meanMs[rows] as number] as const);
    const ready = { state: 'ready', place: 'thread', rowsMax, runMs: 1, reason: '', runsOn: 'cpu' } as const;
    const share = { model, version, ...ready };
    for (const [index, { id }] of this.workers.entries()) {
      const epoch = index + 1;
      this.tell(scheduler, { type: 'costs.measured', epoch, model, version, runs }, id);
      this.tell(scheduler, { type: 'share.changed', epoch, ...share }, id);
    }
    this.deliver();
  }

  private deliver(): void {
    while (this.letters.length > 0 || this.settling !== undefined) {
      const letters = this.letters;
      this.letters = [];
      for (let at = 0; at < letters.length; at++) this.hear(letters[at] as Letter);
      if (this.letters.length > 0 || this.settling === undefined) continue;
      const of = this.settling;
      this.settling = undefined;
      this.hear({ to: of, heard: { type: 'tick.settled' }, from: of });
    }
  }

  private hear({ to, heard, from }: Letter): void {
    if (to === router) this.perform(this.router.receive(heard, from, this.now), router);
    else if (to === scheduler) this.perform(this.scheduler.receive(heard, from, this.now), scheduler);
    else if (heard.type === 'batch.run') this.take(to, heard);
  }

  private perform(effects: readonly Effect[], of: MemberId): void {
    for (let at = 0; at < effects.length; at++) {
      const effect = effects[at] as Effect;
      if (effect.type === 'send') this.tell(effect.to, effect.message, of);
      else if (effect.type === 'settle') this.settling = of;
      else if (effect.type === 'arm') this.arm(of, effect.timer, effect.at);
      else if (effect.type === 'disarm') this.arm(of, effect.timer, Number.POSITIVE_INFINITY);
      else if (effect.type === 'reply') {
        const { ending } = effect.end;
        this.endedAt[effect.job - 1] = ending === 'completed' ? this.now : Number.POSITIVE_INFINITY;
        if (ending === 'rejected') this.refused[effect.job - 1] = 1;
      }
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
    worker.running = run;
    worker.startedAt = this.now;
    worker.doneAt = Number.POSITIVE_INFINITY;
    if (run === undefined) return;
    const noise = this.noise[this.batches++ & (this.noise.length - 1)] as number;
    worker.doneAt = this.now + (this.cell.model.meanMs[run.jobs.length] as number) * noise;
  }

  private finish(worker: Worker): void {
    const run = worker.running as Said<'batch.run'>;
    const { batch, epoch, jobs, attempts, rows } = run;
    const computeMs = this.now - worker.startedAt;
    if (this.keepsRuns) {
      const index = this.workers.indexOf(worker);
      this.runs.push({ worker: index, startedAt: worker.startedAt, doneAt: this.now, jobs });
    }
    const ended = { batch, epoch, computeMs };
    const answers = {
      codes: jobs.map(() => '' as const),
      reason: '',
      outputs: [],
      sizes: [],
      inputMs: 0,
      outputMs: 0,
    };
    this.tell(router, { type: 'batch.finished', jobs, attempts, rows, ...ended, ...answers }, worker.id);
    this.tell(scheduler, { type: 'batch.released', ...ended, rows: jobs.length, fault: false }, worker.id);
    this.begin(worker);
  }

  private tell(to: MemberId, heard: Heard, from: MemberId): void {
    this.letters.push({ to, heard, from });
  }
}
