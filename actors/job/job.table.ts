// The job chart compiled at start: what the hot path moves jobs with.
import { compileChart } from '../chart.js';
import { jobMachine } from './job.machine.js';

export type JobState =
  | 'arriving'
  | 'sharing'
  | 'queued'
  | 'assigned'
  | 'running'
  | 'retrying'
  | 'completed'
  | 'failed'
  | 'expired'
  | 'cancelled'
  | 'rejected'
  | 'displaced';

export type JobEvent =
  | 'admit'
  | 'share'
  | 'lead'
  | 'reject'
  | 'displace'
  | 'assign'
  | 'orphan'
  | 'start'
  | 'complete'
  | 'fail'
  | 'lose'
  | 'requeue'
  | 'resume'
  | 'giveUp'
  | 'expire'
  | 'cancel';

export type JobAction = 'enqueue' | 'withdraw' | 'recall';

export const jobTable = compileChart<JobState, JobEvent, JobAction>(jobMachine);

/** States and events by number, for the hot path. */
export const stateOf = numbered(jobTable.states);
export const eventOf = numbered(jobTable.events);

/** The number of the next state, or -1 where the chart declares nothing. */
export function nextState(state: number, event: number): number {
  return jobTable.next[state * jobTable.events.length + event] as number;
}

export function actionsOf(state: number, event: number): readonly JobAction[] {
  return jobTable.actions[state * jobTable.events.length + event] as readonly JobAction[];
}

function numbered<T extends string>(names: readonly T[]): Readonly<Record<T, number>> {
  return Object.fromEntries(names.map((name, index) => [name, index])) as Record<T, number>;
}
