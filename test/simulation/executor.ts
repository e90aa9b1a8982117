// The simulated executor of a worker process: keeps the rows of its batches, runs them at a cost of alpha + beta × rows
// with noise, and commits faults. Its answer is the rows that it was given, so that a row that goes astray is seen.
import type { Probe, RunBatch } from '../../actors/effects.js';
import type { RunFinished } from '../../actors/facts.js';
import { heldKey } from '../../actors/worker/held.js';
import { type MemberId, modelKey } from '../../proto/ids.js';
import type { Message, Place, Said } from '../../proto/messages.js';
import { noTokens, type Process, type Tokens } from './process.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';
import type { TrueJob, Truth } from './truth.js';
import { require } from './violation.js';

interface Kept {
  readonly run: Said<'batch.run'>;
  readonly router: MemberId;
  readonly tokens: Tokens;
  /** How long it took from the router to here. */
  readonly transitMs: number;
}

interface Running {
  readonly key: string;
  readonly run: Said<'batch.run'>;
  readonly solo: boolean;
  readonly startedAt: number;
}

/** Of the answers of a sick device. */
const seen = 0.6;

export interface Ends {
  /** The process dies by itself. */
  crash(process: Process, detail: string): void;
  /** The files of the model are still those of that edition. */
  isWritten(model: string, edition: string): boolean;
}

export class Executor {
  private readonly kept = new Map<string, Kept>();
  private readonly outputs = new Map<string, Tokens>();
  private readonly running = new Map<Place, Running>();
  private readonly has = new Set<string>();
  /** The model whose loading takes the thread; empty for none. */
  private loading = '';
  private readonly process: Process;
  private readonly name: string;
  private readonly timeline: Timeline;
  private readonly random: Random;
  private readonly truth: Truth;
  private readonly ends: Ends;

  constructor(process: Process, name: string, timeline: Timeline, random: Random, truth: Truth, ends: Ends) {
    this.process = process;
    this.name = name;
    this.timeline = timeline;
    this.random = random;
    this.truth = truth;
    this.ends = ends;
  }

  keep(message: Message, tokens: Tokens): void {
    if (message.type !== 'batch.run') return;
    const router = this.truth.sentBy(message);
    const transitMs = this.timeline.now - router.at;
    this.kept.set(heldKey(message.scheduler, message.batch), {
      run: message,
      router: router.id,
      tokens,
      transitMs,
    });
  }

  outputsOf(key: string): Tokens {
    return this.outputs.get(key) ?? noTokens;
  }

  forget(key: string): void {
    this.kept.delete(key);
    this.outputs.delete(key);
  }

  load(model: string, version: string): void {
    const { place, rowsMax, alphaMs, betaMs } = this.truth.modelOf(model);
    const { measured } = this.truth.scenario;
    const costs = [1, Math.min(4, rowsMax), rowsMax].map(
      (rows) => [rows, this.paced(alphaMs + betaMs * rows)] as const,
    );
    const fails = this.truth.scenario.unloadable.includes(`${this.name} ${model}`);
    const { sick } = this.process;
    this.occupy(model);
    this.checkRoom(model);
    this.later(this.random.between(1, 12), () => {
      this.loading = '';
      const reason = 'its files have changed';
      if (!this.ends.isWritten(model, version))
        this.process.hear({ type: 'model.failed', model, version, reason, stale: true });
      else if (fails)
        this.process.hear({ type: 'model.failed', model, version, reason: 'its file is corrupt' });
      else if (sick) {
        const reason = 'its golden input';
        this.process.hear({ type: 'model.failed', model, version, reason, suspect: true });
      } else {
        this.has.add(modelKey(model, version));
        this.process.hear({
          type: 'model.loaded',
          model,
          version,
          place,
          rowsMax,
          runMs: alphaMs,
          costs: measured ? costs : [],
          golden: 'passed',
        });
      }
    });
  }

  unload(model: string, version: string): void {
    const key = modelKey(model, version);
    require(this.has.delete(key), 'I9', () => `${this.process.id} unloads ${key}, which it has not`);
    for (const { run } of this.running.values()) {
      require(modelKey(run.model, run.version) !== key, 'I9', () =>
        `${this.process.id} unloads ${key} while it runs`);
    }
  }

  run({ key, place, members }: RunBatch): void {
    const kept = this.kept.get(key);
    require(kept !== undefined, 'I8', () => `${this.process.id} runs ${key}, whose rows are not there`);
    const { run, router, tokens, transitMs } = kept as Kept;
    const model = modelKey(run.model, run.version);
    require(this.has.has(model), 'I9', () => `${this.process.id} runs ${model}, which it has not`);
    this.claim(key, place, run);
    this.truth.started(this.process, router, run, members, { now: this.timeline.now, transitMs });
    const rows = members.flatMap((member) => [...rowsOf(run, tokens, member)]);
    const { alphaMs, betaMs } = this.truth.modelOf(run.model);
    const [least, most] = this.truth.scenario.noise;
    const costMs = this.paced((alphaMs + betaMs * rows.length) * this.random.between(least, most));
    const jobs = members.map((member) => this.truth.job(router, run.jobs[member] as number));
    const evil = jobs.find(
      ({ plan }) => plan.nature === 'die' || plan.nature === 'hang' || plan.nature === 'stuck',
    );
    if (evil !== undefined) return this.fail(evil, costMs);
    const code = this.codeOf(jobs);
    this.later(costMs, () => {
      if (this.running.get(place)?.key !== key) return;
      this.running.delete(place);
      if (code === '') this.outputs.set(key, rows);
      this.process.hear(finished(key, code, costMs));
    });
  }

  /** Golden inputs are run behind what runs, and tell for certain. */
  probe(models: Probe['models']): void {
    this.later(this.random.between(1, 4) * models.length, () => {
      const failed = this.process.sick;
      this.process.hear({ type: 'device.probed', failed, reason: failed ? 'its golden input' : '' });
    });
  }

  /** Its process was frozen during the run: where no timer was due meanwhile it can't know why that takes so long. */
  get wasHeldUp(): boolean {
    return [...this.running.values()].some(({ startedAt }) => startedAt < this.process.resumedAt);
  }

  get isAtWork(): boolean {
    return this.loading !== '' || this.running.size > 0;
  }

  /** Whichever edition of it. */
  hasInMemory(model: string): boolean {
    return [...this.has].some((key) => key.startsWith(`${model}:`));
  }

  /** Slow or not, it is never so slow that it would be taken for hung. */
  private paced(costMs: number): number {
    const slowed = this.process.slowUntil > this.timeline.now ? 3 : 1;
    const factor = (this.truth.scenario.slow[this.name] ?? 1) * slowed;
    return factor === 1 ? costMs : Math.max(costMs, Math.min(costMs * factor, 90));
  }

  /** What is begun behind a load would begin who knows when. */
  private occupy(model: string): void {
    require(this.loading === '', 'I4', () => `${this.process.id} loads ${model} beside ${this.loading}`);
    require(!this.running.has('thread'), 'I4', () => `${this.process.id} loads ${model} behind a run`);
    this.loading = model;
  }

  /** What is loaded and what is being loaded take no more than they may. */
  private checkRoom(model: string): void {
    const { memoryMb, costMb } = this.truth.scenario.room;
    let takenMb = costMb[model] ?? 0;
    for (const key of this.has) takenMb += costMb[key.slice(0, key.indexOf(':'))] ?? 0;
    require(memoryMb === 0 || takenMb <= memoryMb, 'I5', () =>
      `${this.process.id} loads ${model}: its models take ${takenMb} MB then, they may take ${memoryMb}`);
  }

  /** One run at a time in each place, and one under watch beside nobody. */
  private claim(key: string, place: Place, run: Said<'batch.run'>): void {
    require(!this.running.has(place), 'I5', () =>
      `${this.process.id} runs two batches in its ${place} place`);
    require(place === 'inline' || this.loading === '', 'I4', () =>
      `${this.process.id} begins ${key} behind the load of ${this.loading}`);
    const solo = this.truth.soloBatches.has(key);
    for (const other of this.running.values()) {
      require(!solo && !other.solo, 'I11', () =>
        `${this.process.id} runs ${key} beside ${other.key}, one is solo`);
    }
    require(this.truth.modelOf(run.model).place === place, 'I5', () =>
      `${run.model} runs in the ${place} place`);
    this.running.set(place, { key, run, solo, startedAt: this.timeline.now });
  }

  private fail(evil: TrueJob, costMs: number): void {
    const { nature } = evil.plan;
    const inMs = costMs * this.random.next();
    if (nature === 'hang') this.truth.hanging.set(this.process.id, evil);
    else
      this.later(inMs, () => {
        this.truth.killed(evil, this.process.id);
        if (nature === 'stuck') {
          this.process.stuck = true;
          this.process.freeze();
        } else this.ends.crash(this.process, 'segmentation fault');
      });
  }

  private codeOf(jobs: readonly TrueJob[]): RunFinished['code'] {
    const { deviceLost, resultInvalid } = this.truth.scenario;
    if (jobs.some(({ plan }) => plan.nature === 'bad')) return 'MODEL_FAILED';
    if (jobs.some(({ plan }) => plan.nature === 'garbles')) return 'RESULT_INVALID';
    if (this.process.sick) return this.random.chance(seen) ? 'RESULT_INVALID' : '';
    if (jobs.some(({ probe }) => probe)) return '';
    if (this.random.chance(deviceLost)) return 'DEVICE_LOST';
    return this.random.chance(resultInvalid) ? 'RESULT_INVALID' : '';
  }

  /** A frozen process computes nothing: what would be done meanwhile is done a little after it goes on. */
  private later(delayMs: number, act: () => void): void {
    this.timeline.after(delayMs, () => {
      if (!this.process.alive) return;
      if (this.process.frozen) this.later(this.random.between(5, 15), act);
      else act();
    });
  }
}

function finished(key: string, code: RunFinished['code'], computeMs: number): RunFinished {
  const reason = code === '' ? '' : 'so the executor says';
  const outputs = code === '' ? ([['rows', 'FP32', [1]]] as const) : [];
  const sizes = outputs.map(() => []);
  return { type: 'run.finished', key, code, reason, outputs, sizes, inputMs: 0, computeMs, outputMs: 0 };
}

function rowsOf(run: Said<'batch.run'>, tokens: Tokens, member: number): Tokens {
  let before = 0;
  for (let other = 0; other < member; other++) before += run.rows[other] as number;
  return tokens.slice(before, before + (run.rows[member] as number));
}
