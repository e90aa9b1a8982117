// Watches the routers: what they are told and what they say of each job, whom they may take for a model's owner, who
// shares whose run, which second runs they ask for, and that they try again within their budget only.
import { Directory } from '../../actors/directory.js';
import type { Effect } from '../../actors/effects.js';
import type { Router } from '../../actors/router/router.js';
import { type JobNumber, type MemberId, modelKey } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import { Ends } from './ends.js';
import type { Delivery, Process } from './process.js';
import { name, type TrueJob, type Truth } from './truth.js';
import { require } from './violation.js';

interface RouterView {
  readonly links: Directory;
  readonly distrusted: Set<MemberId>;
  readonly leaving: Set<MemberId>;
  schedulers: readonly MemberId[];
  /** What each scheduler told last of each model: whether workers have it. */
  readonly told: Map<string, string>;
  submitted: number;
  /** Tries after failures of the machinery, and second runs. */
  retries: number;
  hedges: number;
  readonly sinceAt: number;
  /** Those with a twin. */
  readonly twinned: Map<JobNumber, TrueJob>;
  /** What the run of a job was said to take at most, its way included. */
  readonly wholeMs: Map<JobNumber, number>;
  /** The same of its second run. */
  readonly twinMs: Map<JobNumber, number>;
  readonly failures: Map<JobNumber, number>;
}

interface RouterInside {
  readonly book: { readonly twins: Map<JobNumber, { readonly state: string; readonly attempt: number }> };
}

/** What may give a model another owner. */
const movers: ReadonlySet<Delivery['heard']['type']> = new Set(['owners.told', 'owners.listed']);
/** What was saved up at the beginning. */
const savedMs = 10_000;

export class RoutingWitness {
  private readonly truth: Truth;
  private readonly ends: Ends;
  private readonly views = new Map<MemberId, RouterView>();

  constructor(truth: Truth) {
    this.truth = truth;
    this.ends = new Ends(truth);
  }

  observe(
    process: Process,
    actor: Router,
    delivery: Delivery,
    effects: readonly Effect[],
    now: number,
  ): void {
    const view = this.viewOf(process.id, now);
    this.hears(process, view, delivery, now);
    for (const effect of effects) {
      if (effect.type === 'reply')
        this.ended(view, this.ends.replied(process, effect, delivery, now), delivery, effects);
      else if (effect.type === 'stopped') this.drained(process);
      if (effect.type !== 'send') continue;
      const { to, message } = effect;
      if (message.type === 'job.enqueue') this.enqueued(process, actor, view, to, message, delivery, now);
      if (message.type !== 'batch.run') continue;
      this.truth.dispatched(process, to, message, now);
      if (delivery.heard.type !== 'batch.assign') continue;
      const { costMs, transportMs } = delivery.heard;
      for (const job of message.jobs) {
        const isTwin = this.truth.job(process.id, job).twin?.dispatch === message;
        (isTwin ? view.twinMs : view.wholeMs).set(job, costMs + transportMs);
      }
    }
    if (delivery.heard.type === 'job.submitted') this.joined(process, actor, delivery.heard.job);
    if (movers.has(delivery.heard.type)) this.followed(process, actor);
    if (view.twinned.size > 0) reviewTwins(view, actor);
  }

  private hears(process: Process, view: RouterView, { heard, from }: Delivery, now: number): void {
    switch (heard.type) {
      case 'job.submitted': {
        const job = this.truth.job(process.id, heard.job);
        if (job.told) return;
        job.told = true;
        job.deadline = now + heard.spec.budgetMs;
        view.submitted++;
        return;
      }
      case 'batch.finished':
        heard.codes.forEach((code, member) => {
          const job = heard.jobs[member] as number;
          const { worker, attempt } = this.truth.job(process.id, job);
          if (isFailure(code) && worker === from && attempt === heard.attempts[member])
            view.failures.set(job, (view.failures.get(job) ?? 0) + 1);
        });
        return;
      case 'link.opened':
        view.links.open(heard.member, heard.roles);
        break;
      case 'link.lost':
        // Without health nobody is left to take back what it said of others.
        if (view.links.close(heard.member).includes('health')) view.distrusted.clear();
        view.distrusted.delete(heard.member);
        for (const key of view.told.keys()) if (key.endsWith(`@${heard.member}`)) view.told.delete(key);
        view.leaving.delete(heard.member);
        break;
      case 'node.reported':
        if (heard.state === 'serving') view.leaving.delete(from);
        else view.leaving.add(from);
        break;
      case 'model.reported': {
        const { model, version, ready, loading, failed, resting } = heard;
        const word = ready + resting > 0 ? 'able' : loading > 0 ? 'coming' : failed > 0 ? 'failed' : 'none';
        view.told.set(toldKey(model, version, from), word);
        return;
      }
      case 'peer.judged':
        if (heard.verdict === 'down') view.distrusted.add(heard.member);
        else view.distrusted.delete(heard.member);
        break;
      default:
        return;
    }
    const trusted = view.links.with('scheduler').filter((member) => !view.distrusted.has(member));
    const staying = trusted.filter((member) => !view.leaving.has(member));
    view.schedulers = staying.length > 0 ? staying : trusted;
  }

  private enqueued(
    process: Process,
    actor: Router,
    view: RouterView,
    to: MemberId,
    said: Said<'job.enqueue'>,
    { heard }: Delivery,
    now: number,
  ): void {
    const { scenario } = this.truth;
    const job = this.truth.job(process.id, said.job);
    const beside = job.dispatch !== undefined && actor.job(said.job)?.placed === true;
    const word = (one: MemberId): string => view.told.get(toldKey(said.model, said.version, one)) ?? 'none';
    const seen = `${said.ownersCount} ${said.ownersBy} ${view.schedulers.map(word).join(' ')}`;
    this.truth.enqueued(process, to, said, view.schedulers, seen, beside, now);
    if (beside) {
      view.twinned.set(said.job, job);
      view.hedges++;
      require(view.hedges <= scenario.hedgeShare * view.submitted, 'I7', () =>
        `${process.id} asks for ${view.hedges} second runs of ${view.submitted} jobs`);
    }
    if (heard.type !== 'batch.finished') return;
    const code = heard.codes[heard.jobs.indexOf(said.job)];
    if (code === undefined || !isFailure(code)) return;
    const { attemptsMax, retryShare, retryPerSecond } = scenario.retries;
    const failures = view.failures.get(said.job) ?? 0;
    // The first invalid answer to several at once is nobody's fault yet.
    const isFree = code === 'RESULT_INVALID' && heard.jobs.length > 1 && failures <= 1;
    require(failures < attemptsMax, 'I7', () => `${name(job)} is tried again after ${failures} failed runs`);
    if (!isFree) view.retries++;
    const seconds = (savedMs + now - view.sinceAt) / 1000;
    require(view.retries <= retryShare * view.submitted + retryPerSecond * seconds, 'I7', () =>
      `${process.id} tries again for the ${view.retries}th time, of ${view.submitted} jobs`);
    const { twin } = job;
    const wasTwin = twin?.adopted === true && said.attempt === twin.attempt + 1;
    const wholeMs = (wasTwin ? view.twinMs : view.wholeMs).get(said.job) ?? 0;
    require(said.budgetMs > wholeMs, 'I7', () =>
      `${name(job)} is tried again with ${said.budgetMs} ms left for ${wholeMs}`);
  }

  /** Nobody's epoch goes back, and what waits is where the router believes it. */
  private followed(process: Process, actor: Router): void {
    this.truth.owning.heard(`the router of ${process.id}`, actor.ownership);
    for (const job of actor.allJobs()) {
      if (!job.is('queued') || job.scheduler === '') continue;
      const { attempt } = this.truth.job(process.id, job.number);
      require(job.attempt === attempt, 'I9', () =>
        `job ${job.number} of ${process.id} waits as attempt ${job.attempt}, the last that was enqueued is ${attempt}`);
    }
  }

  private joined(process: Process, actor: Router, number: JobNumber): void {
    const leader = actor.job(number)?.sharers?.leader;
    if (leader === undefined || leader.number === number) return;
    this.truth.joined(this.truth.job(process.id, number), this.truth.job(process.id, leader.number));
  }

  /** Of two runs the one that was not answered is called back. */
  private ended(view: RouterView, job: TrueJob, { from, heard }: Delivery, effects: readonly Effect[]): void {
    view.twinned.delete(job.number);
    view.wholeMs.delete(job.number);
    view.twinMs.delete(job.number);
    const { twin } = job;
    if (twin?.live !== true || twin.dispatch === undefined || twin.adopted || heard.type !== 'batch.finished')
      return;
    const other = from === twin.worker ? job.worker : twin.worker;
    const batch = from === twin.worker ? job.dispatch?.batch : twin.dispatch.batch;
    if (!view.links.has(other)) return;
    const isRecalled = effects.some(
      (effect) =>
        effect.type === 'send' &&
        effect.to === other &&
        effect.message.type === 'batch.recall' &&
        effect.message.batch === batch,
    );
    require(isRecalled, 'I6', () =>
      `${name(job)} was answered by ${from}, and its other run at ${other} is not called back`);
  }

  private drained(process: Process): void {
    for (const job of this.truth.all()) {
      require(job.router !== process || !job.told || job.ending !== '', 'I9', () =>
        `${process.id} stops, and ${name(job)} has no end`);
    }
  }

  private viewOf(router: MemberId, now: number): RouterView {
    let view = this.views.get(router);
    if (view === undefined) {
      view = {
        links: new Directory(),
        distrusted: new Set(),
        leaving: new Set(),
        schedulers: [],
        told: new Map(),
        submitted: 0,
        retries: 0,
        hedges: 0,
        sinceAt: now,
        twinned: new Map(),
        wholeMs: new Map(),
        twinMs: new Map(),
        failures: new Map(),
      };
      this.views.set(router, view);
    }
    return view;
  }
}

function toldKey(model: string, version: string, scheduler: MemberId): string {
  return `${modelKey(model, version)}@${scheduler}`;
}

function isFailure(code: string): boolean {
  return code === 'DEVICE_LOST' || code === 'RESULT_INVALID';
}

/** What its router believes of it, for what comes next is judged by that. */
function reviewTwins(view: RouterView, actor: Router): void {
  const { twins } = (actor as unknown as RouterInside).book;
  for (const [number, job] of view.twinned) {
    const { twin } = job;
    if (twin === undefined || !twin.live) continue;
    const believed = actor.job(number);
    twin.adopted ||= twin.dispatch !== undefined && believed?.attempt === twin.attempt;
    const state = twins.get(number)?.state;
    if (state === 'over' && !twin.adopted) twin.live = false;
  }
}
