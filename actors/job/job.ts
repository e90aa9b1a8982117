// One accepted job as its router knows it: the spec, where it is, what it went through. Plain data that the table moves.

import type { JobNumber, MemberId } from '../../proto/ids.js';
import type { JobSpec, JobStep } from '../../proto/job.js';
import { limits } from '../../proto/limits.js';
import type { Said } from '../../proto/messages.js';
import type { Deadline } from '../router/wheel.js';
import {
  actionsOf,
  eventOf,
  type JobAction,
  type JobEvent,
  jobTable,
  nextState,
  stateOf,
} from './job.table.js';
import type { Placement } from './placement.js';

export type Company = Said<'job.enqueue'>['company'];

/** Jobs that ask for the same and run once: one runs, the others wait for its answer. */
export interface Sharers {
  readonly leader: Job;
  readonly followers: Job[];
}

/** Schedulers refuse at once: who hears nothing for so long is taken. */
const refusalMostMs = 50;
/** Times in the path are whole hundredths of a millisecond: small integers weigh nothing by themselves. */
const ticksPerMs = 100;

interface Step {
  readonly state: number;
  readonly ticks: number;
  readonly why: string | Placement;
  before: Step | undefined;
}

export class Job implements Deadline {
  readonly number: JobNumber;
  /** Its version is another edition once the one that was meant is gone. */
  spec: JobSpec;
  readonly admittedAt: number;
  wheelNext: Deadline | undefined = undefined;
  wheelBefore: Deadline | undefined = undefined;
  wheelSlot = -1;

  state = jobTable.initial;
  /** Counts up with every loss, so that an answer to an earlier attempt is told apart. */
  attempt = 1;
  company: Company;
  /** What it asks for while nothing speaks against it. */
  usual: Exclude<Company, 'solo'>;
  /** Workers lost under it, for whatever cause. */
  losses = 0;
  /** Workers lost under it with evidence that it may be the cause. */
  deaths = 0;
  /** Runs of it that its worker itself called a failure of the machinery. */
  failures = 0;
  /** In a row handed back by a worker that did not run it. */
  returns = 0;
  /** The worker whose loss counts among the deaths while it isn't known whether it broke down; else empty. */
  doubted: MemberId = '';
  /** That worker came back to this router since: it may have answered in vain, and have ended under another run. */
  cameBack = false;
  /** One of its deaths was a known breakdown. */
  proven = false;
  /** One of its deaths may have come before its run there had begun, or through a mate in its batch. */
  unsure = false;
  /** Where its second run went on for the first: word that it has begun has not come. */
  unseen = false;
  /** A scheduler took it: it placed it, or kept it for longer than a refusal takes. */
  admitted = false;
  /** When its present scheduler was asked to place it. */
  askedAt = Number.POSITIVE_INFINITY;
  /** While it is kept from being tried again. */
  waitsUntil = 0;
  scheduler: MemberId = '';
  worker: MemberId = '';
  avoid: MemberId = '';
  epoch = 0;
  batch = 0;
  /** Of its latest attempt; undefined before the first. */
  placement: Placement | undefined = undefined;
  /** Who shares its run, or whose run it shares. */
  sharers: Sharers | undefined = undefined;
  /** The latest, which leads to those before it: an array that grows makes room for many. */
  private step: Step | undefined = undefined;
  private steps = 0;

  constructor(number: JobNumber, spec: JobSpec, now: number) {
    this.number = number;
    this.spec = spec;
    this.admittedAt = now;
    // What may run once only is not to fail for another member of its batch.
    this.usual = spec.idempotent ? 'any' : 'alone';
    this.company = this.usual;
  }

  /** The actions of the move, or nothing when the chart has no such move. */
  move(event: JobEvent, now: number, why: string | Placement): readonly JobAction[] | undefined {
    const column = eventOf[event];
    const next = nextState(this.state, column);
    if (next < 0) return undefined;
    const actions = actionsOf(this.state, column);
    this.state = next;
    const ticks = Math.round((now - this.admittedAt) * ticksPerMs);
    this.step = { state: next, ticks, why, before: this.step };
    if (this.steps < limits.pathStepsMax) this.steps++;
    else leaveOut(this.step);
    return actions;
  }

  /** Not a field: every live job would have one more number. */
  get deadline(): number {
    return this.admittedAt + this.spec.budgetMs;
  }

  is(state: keyof typeof stateOf): boolean {
    return this.state === stateOf[state];
  }

  get ended(): boolean {
    return jobTable.final[this.state] === true;
  }

  /** At a worker, or on its way there. */
  get placed(): boolean {
    return this.state === stateOf.assigned || this.state === stateOf.running;
  }

  /** Some worker had it, and did not say that it never ran it: so it is not simply turned away any more. */
  get mayHaveRun(): boolean {
    return this.losses > 0 || (this.spec.idempotent && this.usual === 'alone');
  }

  /** Whether its scheduler has taken it: one that was asked a moment ago may not have judged it yet. */
  settleAdmission(now: number): boolean {
    this.admitted ||= now - this.askedAt >= refusalMostMs;
    return this.admitted;
  }

  path(): JobStep[] {
    const path: JobStep[] = [];
    for (let step = this.step; step !== undefined; step = step.before) {
      const { state, ticks, why } = step;
      path.push({ state: jobTable.states[state] as string, afterMs: ticks / ticksPerMs, why: String(why) });
    }
    return path.reverse();
  }
}

/** Of a long story the beginning is kept, for it tells most, and the latest steps. */
function leaveOut(latest: Step): void {
  let step = latest;
  for (let left = limits.pathStepsMax / 2; left > 1; left--) step = step.before as Step;
  step.before = step.before?.before;
}
