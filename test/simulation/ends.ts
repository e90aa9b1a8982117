// Whether the end that a job was given fits what is true of it: an answer with its own rows from where it ran last, or a
// failure, refusal or loss of which there is a cause.
import type { Reply } from '../../actors/effects.js';
import type { Delivery, Process, Tokens } from './process.js';
import { name, sameContent, type TrueJob, type Truth } from './truth.js';
import { require, Violation } from './violation.js';

/** The answer that was given last, for those who share it get it in the same step. */
interface Answer {
  readonly job: TrueJob;
  readonly delivery: Delivery;
}

const infrastructure = ['DEVICE_LOST', 'RESULT_INVALID', 'WORKERS_LOST'];

export class Ends {
  private readonly truth: Truth;
  private last: Answer | undefined;

  constructor(truth: Truth) {
    this.truth = truth;
  }

  replied(router: Process, reply: Reply, delivery: Delivery, now: number): TrueJob {
    const { truth } = this;
    const job = truth.job(router.id, reply.job);
    const { ending, code } = reply.end;
    require(job.ending === '', 'I1', () => `${name(job)} ended as ${job.ending} and again as ${ending}`);
    job.ending = code === undefined ? ending : `${ending} ${code}`;
    job.endedAt = now;
    truth.unfinished--;
    if (!job.probe) truth.endings[job.ending] = (truth.endings[job.ending] ?? 0) + 1;
    if (ending === 'completed') this.completed(job, reply, delivery);
    else this.fits(job, reply, now);
    const isRunning = job.dispatch !== undefined && (ending === 'expired' || ending === 'cancelled');
    const { twin } = job;
    const runs = twin?.live === true && twin.dispatch !== undefined && !twin.adopted ? 2 : 1;
    if (isRunning && job.kin.members.length > 1) job.kin.leftRunning += runs;
    return job;
  }

  private fits(job: TrueJob, reply: Reply, now: number): void {
    const { ending, code } = reply.end;
    const { scenario } = this.truth;
    const { nature, model } = job.plan;
    const fits = (holds: boolean, invariant = 'I1'): void =>
      require(holds, invariant, () =>
        `${name(job)} (${nature}) ended as ${job.ending}: ${reply.end.message}`);
    if (ending === 'expired') return fits(now >= job.deadline - 0.001);
    if (ending === 'cancelled') return fits(job.cancelled);
    if (ending === 'rejected' || ending === 'displaced') return fits(job.starts.size === 0);
    if (code === 'MODEL_FAILED') return fits(nature === 'bad' || this.failedWithAnother(job), 'I8');
    // Where an answer may vanish without a word, who gave it may be taken for running still.
    // Two runs at once are not watched: what ran beside each may have ended its worker.
    const wasDoubled = job.twin !== undefined && job.starts.size > 1;
    if (code === 'JOB_POISONED')
      return fits(job.kin.ended.size > 0 || wasDoubled || !scenario.network.honest, 'I11');
    if (code === 'RUN_LOST') return fits(!model.idempotent && job.dispatch !== undefined, 'I7');
    const isIll = scenario.jobs.some((plan) => plan.nature !== 'plain' && plan.nature !== 'bad');
    const isFlaky =
      scenario.deviceLost + scenario.resultInvalid > 0 ||
      scenario.faults.some(({ kind }) => kind === 'sicken');
    if (code === 'RETRIES_SPENT') return fits(isFlaky || isIll, 'I7');
    // After a run: before one it is turned away.
    if (code === 'MODEL_UNAVAILABLE') return fits(job.attempt > 1);
    fits(code !== undefined && infrastructure.includes(code));
    const drainsOnly = scenario.faults.every(({ kind }) => kind.startsWith('drain'));
    const isQuiet = scenario.network.honest && !isFlaky;
    fits(!drainsOnly || !isQuiet || isIll, 'I9');
  }

  /** Its batch failed for what may have been another's fault, and it must not be tried by itself. */
  private failedWithAnother({ plan, dispatch, router }: TrueJob): boolean {
    if (plan.model.idempotent) return false;
    return dispatch?.jobs.some((other) => this.truth.job(router.id, other).plan.nature === 'bad') === true;
  }

  private completed(job: TrueJob, reply: Reply, delivery: Delivery): void {
    const { slice } = reply;
    const { last } = this;
    const { heard, tokens } = delivery;
    require(job.plan.nature === 'plain', 'I8', () =>
      `${name(job)} (${job.plan.nature}) was answered, though it can't be`);
    if (heard.type !== 'batch.finished' || slice === undefined) {
      throw new Violation('I3', `${name(job)} was completed by ${heard.type}`);
    }
    // Whoever waits beside another has no run of its own.
    if (job.dispatch === undefined) {
      require(last !== undefined &&
        last.delivery === delivery &&
        last.job.router === job.router &&
        sameContent(last.job, job), 'I3', () => `${name(job)} was completed without being at a worker`);
    } else {
      this.fromItsRun(job, delivery);
      this.last = { job, delivery };
    }
    const { rows } = job.plan;
    require(slice.rows === rows, 'I8', () => `${name(job)} has ${rows} rows and got ${slice.rows}`);
    require(slice.rowsTotal === tokens.length, 'I8', () =>
      `${name(job)} counts ${slice.rowsTotal} rows of ${tokens.length}`);
    const wanted = this.truth.tokensOf(job.router.id, job.number, rows);
    const given = tokens.slice(slice.rowsBefore, slice.rowsBefore + slice.rows);
    require(same(wanted, given), 'I8', () => `${name(job)} got rows ${given}, its own are ${wanted}`);
  }

  private fromItsRun(job: TrueJob, { heard, from }: Delivery): void {
    if (heard.type !== 'batch.finished') return;
    const { twin } = job;
    const isTwin = twin?.live === true && twin.dispatch !== undefined && heard.batch === twin.dispatch.batch;
    const [run, worker, attempt] =
      isTwin && from === twin.worker
        ? [twin.dispatch, twin.worker, twin.attempt]
        : [job.dispatch, job.worker, job.attempt];
    require(from === worker && heard.batch === run?.batch && heard.epoch === run.epoch, 'I3', () =>
      `${name(job)} was answered by ${from} for batch ${heard.batch}, it is at ${worker} in ${run?.batch}`);
    require(twin?.live !== true || !twin.adopted || isTwin, 'I3', () =>
      `${name(job)} was answered by its first run, which was lost`);
    const place = heard.jobs.indexOf(job.number);
    require(heard.attempts[place] === attempt, 'I3', () =>
      `${name(job)} was answered for an earlier attempt`);
  }
}

function same(one: Tokens, other: Tokens): boolean {
  return one.length === other.length && one.every((token, index) => token === other[index]);
}
