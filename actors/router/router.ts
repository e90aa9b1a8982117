// The router actor: admits requests as jobs, has a scheduler place them, hands their payload to the worker and gives
// each job exactly one end. It holds a job until then, which is what makes trying again possible. Here is only who of its
// parts is told what: placing, answers, losses, sharing, hedging; all of them move jobs through the conductor.
import type { ErrorCode } from '../../proto/errors.js';
import type { JobNumber, MemberId } from '../../proto/ids.js';
import type { JobSpec } from '../../proto/job.js';
import type { Said } from '../../proto/messages.js';
import type { Ownership } from '../../proto/ownership.js';
import type { Actor, Heard } from '../actor.js';
import { type Chart, startChart } from '../chart.js';
import { type Effect, note } from '../effects.js';
import type { Job } from '../job/job.js';
import { type AdmissionLimits, refusal } from './admission.js';
import { Answers } from './answers.js';
import { JobBook } from './book.js';
import { Conductor } from './conductor.js';
import type { ModelCondition } from './coverage.js';
import { endOf, stoppedEnd } from './endings.js';
import { lackOf } from './gaps.js';
import type { GraceLimits } from './grace.js';
import { Hedging, type HedgingLimits } from './hedging.js';
import type { LossLimits } from './loss.js';
import { Losses } from './losses.js';
import { Neighbours } from './neighbours.js';
import { Placing, type PlacingLimits } from './placing.js';
import { Retries, type RetryLimits } from './retries.js';
import { routerMachine } from './router.machine.js';
import { Sharing, type SharingLimits } from './sharing.js';

interface AllLimits
  extends AdmissionLimits,
    GraceLimits,
    LossLimits,
    PlacingLimits,
    RetryLimits,
    SharingLimits,
    HedgingLimits {}

/** What a router goes by where nobody says otherwise. */
export const routerDefaults = {
  attemptsMax: 3,
  retryShare: 0.1,
  retryPerSecond: 3,
  sharersMax: 64,
  hedgeShare: 0.02,
  coverGraceMs: 500,
} as const satisfies Partial<AllLimits>;

type Usual = keyof typeof routerDefaults;
/** Fires when a model that was ready until a moment ago counts no longer. */
export const coverTimer = 'cover';

export type RouterLimits = Omit<AllLimits, Usual> & Partial<Pick<AllLimits, Usual>>;

export class Router implements Actor {
  readonly hears: ReadonlySet<Heard['type']> = new Set<Heard['type']>([
    'job.submitted',
    'job.cancelled',
    'job.refused',
    'batch.assign',
    'batch.lost',
    'batch.prepared',
    'batch.started',
    'batch.finished',
    'model.reported',
    'owners.told',
    'owners.listed',
    'models.listed',
    'peer.judged',
    'worker.exited',
    'node.reported',
    'link.opened',
    'link.lost',
    'timer.fired',
    'drain.requested',
    'drain.spent',
    'tick.settled',
  ]);
  readonly chart: Chart = startChart(routerMachine);
  private settling = false;
  /** When the next model counts as ready no longer, where one does that nobody answers. */
  private graceUntil: number | undefined;
  private readonly limits: AllLimits;
  private readonly book: JobBook;
  private readonly neighbours: Neighbours;
  private readonly retries: Retries;
  private readonly conductor: Conductor;
  private readonly hedging: Hedging;
  private readonly losses: Losses;
  private readonly placing: Placing;
  private readonly answers: Answers;
  private readonly sharing: Sharing;

  constructor(given: RouterLimits, now: number) {
    const limits = { ...routerDefaults, ...given };
    this.limits = limits;
    this.book = new JobBook(now);
    this.neighbours = new Neighbours(limits);
    this.retries = new Retries(limits, now);
    const { book, neighbours, retries } = this;
    const conductor = new Conductor(book, neighbours);
    const hedging = new Hedging(book, neighbours, conductor, limits, now);
    this.conductor = conductor;
    this.hedging = hedging;
    this.losses = new Losses(book, conductor, retries, hedging, limits);
    this.placing = new Placing(book, neighbours, conductor, this.losses, hedging, limits);
    this.answers = new Answers(book, conductor, this.losses, hedging);
    this.sharing = new Sharing(conductor, retries, limits);
  }

  receive(heard: Heard, from: MemberId, now: number): Effect[] {
    this.hear(heard, from, now);
    if (this.book.size === 0 && this.chart.state === 'draining') this.stop();
    return this.conductor.takeEffects();
  }

  get liveJobs(): number {
    return this.book.size;
  }

  /** What was dropped because it came from an attempt or an epoch that is over. */
  get fenced(): number {
    return this.book.fenced;
  }

  /** What must never be: jobs that moved against their chart, ended for a reason that there is not, or had two owners. */
  get violations(): number {
    return this.conductor.illegalMoves + this.conductor.unlistedEnds + this.neighbours.owners.clashes;
  }

  /** Which scheduler owns which model, by the highest list that was heard. */
  get ownership(): Ownership {
    return this.neighbours.owners.list;
  }

  /** By shard, whom it asks for what is listed of it. */
  asked(): ReadonlyMap<string, MemberId> {
    return this.neighbours.asked();
  }

  /** Whom it asks for the model; empty while there is nobody. */
  ownerOf(model: string, version: string): MemberId {
    return this.neighbours.owner(model, version);
  }

  /** How many jobs ended for that reason. */
  ended(code: ErrorCode): number {
    return this.conductor.ended.get(code) ?? 0;
  }

  get completed(): number {
    return this.conductor.completed;
  }

  job(number: JobNumber): Job | undefined {
    return this.book.get(number);
  }

  allJobs(): IterableIterator<Job> {
    return this.book.all();
  }

  condition(model: string, version: string): ModelCondition {
    return this.neighbours.condition(model, version);
  }

  /** As people and probes are told of it: not each doubt of some milliseconds. */
  shownCondition(model: string, version: string): ModelCondition {
    return this.neighbours.shownCondition(model, version);
  }

  /** Why it is not ready, for people; empty when it is. */
  unreadyReason(): string {
    if (this.chart.has('draining')) return 'the node is draining';
    // A higher list overcomes it: what was done by these two is fenced by the attempts of jobs.
    if (this.neighbours.owners.isClashing) {
      return 'an invariant was violated: two lists of owners have one epoch, see the log';
    }
    if (this.conductor.illegalMoves + this.conductor.unlistedEnds > 0) {
      return 'an invariant was violated: a job moved against its chart or ended for no listed reason, see the log';
    }
    return this.chart.has('ready') ? '' : (this.neighbours.gap() ?? 'the node is starting');
  }

  get ready(): boolean {
    return this.unreadyReason() === '';
  }

  private hear(heard: Heard, from: MemberId, now: number): void {
    switch (heard.type) {
      case 'job.submitted':
        return this.admit(heard.job, heard.spec, now);
      case 'batch.assign':
        return this.placing.assign(heard, from, now);
      case 'batch.finished':
        return this.answers.finish(heard, from, now);
      case 'batch.started':
        return this.placing.started(heard, from, now);
      case 'batch.prepared':
        return this.placing.letGo(heard, from, now);
      case 'timer.fired':
        return this.timeCame(heard.timer, now);
      case 'job.cancelled':
        return this.cancel(heard.job, heard.why, now);
      case 'job.refused':
        return this.placing.refused(heard, from, now);
      case 'batch.lost':
        return this.losses.loseBatch(heard, now);
      case 'worker.exited':
        return this.losses.exited(heard.worker, heard.cause, now);
      default:
        return this.hearOfOthers(heard, from, now);
    }
  }

  private hearOfOthers(heard: Heard, from: MemberId, now: number): void {
    switch (heard.type) {
      case 'link.opened':
        this.neighbours.open(heard.member, heard.roles, heard.node);
        this.losses.cameBack(heard.member);
        return this.reviewOthers(now);
      case 'link.lost':
        this.neighbours.close(heard.member);
        this.losses.loseWorker(heard.member, 'unknown', now);
        for (const worker of this.neighbours.workersOf(heard.member)) this.losses.loseOrphan(worker, now);
        return this.reviewOthers(now);
      case 'peer.judged':
        this.neighbours.judge(heard.member, heard.verdict === 'down');
        if (heard.verdict === 'down') this.losses.loseWorker(heard.member, 'silent', now);
        return this.reviewOthers(now);
      case 'node.reported':
        this.neighbours.leave(from, heard.state === 'draining' || heard.state === 'drained');
        return this.reviewOthers(now);
      case 'models.listed':
        this.neighbours.list(heard.models);
        this.placing.reviewEditions(now);
        this.placing.giveUpAll(now);
        return this.reviewCoverage(now);
      case 'model.reported':
        this.reported(heard, from, now);
        return this.reviewCoverage(now);
      case 'tick.settled':
        this.settling = false;
        this.tellLacking();
        return this.placing.reviewSchedulers(now);
      case 'owners.told':
      case 'owners.listed':
        return this.follow(heard, now);
      case 'drain.requested':
        if (this.chart.can('drain')) this.chart.move('drain');
        return;
      case 'drain.spent':
        for (const job of [...this.book.all()]) {
          if (this.book.get(job.number) === job) this.conductor.end(job, 'cancel', now, stoppedEnd(job));
        }
    }
  }

  private reported(report: Said<'model.reported'>, from: MemberId, now: number): void {
    const { isNews, moves } = this.neighbours.report(from, report);
    if (moves) this.settleSoon();
    if (report.ready > 0) return;
    this.placing.reviewEditions(now);
    const { model, version } = report;
    if (isNews && this.neighbours.owner(model, version) === from)
      this.placing.giveUp(model, version, this.neighbours.vainness(model, version, report), now);
  }

  /** What schedulers tell comes in bursts: neither jobs nor the log are to follow each step of it. */
  private settleSoon(): void {
    if (this.settling) return;
    this.settling = true;
    this.conductor.perform({ type: 'settle' });
  }

  private follow({ epoch, owners }: Ownership, now: number): void {
    const came = this.neighbours.follow({ epoch, owners });
    if (came === 'higher') return this.reviewOthers(now);
    if (came === 'known') return;
    const [count, by] = epoch;
    this.conductor.perform(note('error', 'owners.clashed', { count, by }));
  }

  private admit(number: JobNumber, spec: JobSpec, now: number): void {
    if (this.book.get(number) !== undefined) {
      return this.conductor.perform(note('error', 'job.submittedTwice', { job: number }));
    }
    const job = this.book.open(number, spec, now);
    if (spec.budgetMs <= 0) {
      const message = 'the deadline had passed when the request came in';
      return this.conductor.end(job, 'expire', now, endOf('expired', 'DEADLINE_PAST', message));
    }
    const condition = this.condition(spec.model, spec.version);
    const refused = refusal(spec, this.chart.has('routable'), condition, this.book, this.limits);
    if (refused !== undefined) return this.conductor.end(job, 'reject', now, refused);
    this.conductor.wake(this.book.watch(job, now));
    if (this.sharing.join(job, now)) return;
    this.retries.admitted();
    this.hedging.admitted();
    this.conductor.move(job, 'admit', now, '');
  }

  private cancel(number: JobNumber, why: string, now: number): void {
    const job = this.book.get(number);
    if (job !== undefined) this.conductor.end(job, 'cancel', now, endOf('cancelled', 'CANCELLED', why));
  }

  private timeCame(timer: string, now: number): void {
    const { book, conductor } = this;
    if (timer === 'deadlines') conductor.wake(book.takeLate(now, (job) => conductor.expire(job, now)));
    else if (timer === 'hedges') this.hedging.timeCame(now);
    else if (timer === coverTimer) this.graceEnds(now);
    else conductor.wake(book.takePostponed(now, (job) => this.losses.retry(job, now)));
  }

  private reviewOthers(now: number): void {
    this.placing.reviewSchedulers(now);
    this.reviewCoverage(now);
  }

  private graceEnds(now: number): void {
    this.graceUntil = undefined;
    this.reviewCoverage(now);
  }

  private reviewCoverage(now: number): void {
    if (!this.chart.can('cover')) return;
    this.grantUntil(this.neighbours.gaps.lapse(now));
    if (this.neighbours.gaps.hasUntold) this.settleSoon();
    const covered = this.neighbours.gap() === undefined;
    const from = this.chart.state;
    if (!this.chart.move(covered ? 'cover' : 'uncover')) return;
    const moved = { from, to: this.chart.state, reason: this.unreadyReason() };
    this.conductor.perform(note(covered ? 'info' : 'warn', 'router.moved', moved));
  }

  private grantUntil(until: number | undefined): void {
    if (until === this.graceUntil) return;
    this.graceUntil = until;
    const timer = coverTimer;
    this.conductor.perform(
      until === undefined ? { type: 'disarm', timer } : { type: 'arm', timer, at: until },
    );
  }

  private tellLacking(): void {
    const keys = this.neighbours.gaps.takeUntold();
    if (keys.length === 0) return;
    this.conductor.perform(note('warn', 'model.uncovered', { count: keys.length, reason: lackOf(...keys) }));
  }

  private stop(): void {
    this.chart.move('empty');
    this.conductor.perform({ type: 'stopped' });
  }
}
