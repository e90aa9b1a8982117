// Every way in which a job can end and why: the closed list of ending × code. An end outside of it is a fault of ours.
import type { ErrorCode } from './errors.js';
import type { JobEnding } from './job.js';

export const endReasons: Readonly<Record<JobEnding, readonly ErrorCode[]>> = {
  completed: [],
  failed: [
    'MODEL_FAILED',
    'RESULT_INVALID',
    'DEVICE_LOST',
    'JOB_POISONED',
    'WORKERS_LOST',
    'RETRIES_SPENT',
    'RUN_LOST',
    'MODEL_UNAVAILABLE',
    'INTERNAL',
  ],
  expired: ['DEADLINE_EXCEEDED', 'DEADLINE_PAST'],
  cancelled: ['CANCELLED', 'NODE_STOPPED'],
  rejected: ['DRAINING', 'QUEUE_FULL', 'OVERLOADED', 'MODEL_UNAVAILABLE'],
  displaced: ['DISPLACED'],
};

export function isEndReason(ending: JobEnding, code: ErrorCode | undefined): boolean {
  return code === undefined ? ending === 'completed' : endReasons[ending].includes(code);
}
