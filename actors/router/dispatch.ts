// What a worker is told of a batch: the jobs of one router that were placed together, and the shape of their rows.
import type { MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import type { Job } from '../job/job.js';

export function dispatchMessage(
  assign: Said<'batch.assign'>,
  scheduler: MemberId,
  jobs: readonly Job[],
  now: number,
  joinBytesMax: number,
): Said<'batch.run'> {
  const { spec } = jobs[0] as Job;
  const numbers: number[] = [];
  const attempts: number[] = [];
  const rows: number[] = [];
  const budgetsMs: number[] = [];
  let bytes = 0;
  let rowsTotal = 0;
  for (const job of jobs) {
    numbers.push(job.number);
    attempts.push(job.attempt);
    rows.push(job.spec.rows);
    budgetsMs.push(Math.max(0, job.deadline - now));
    bytes += job.spec.bytes;
    rowsTotal += job.spec.rows;
  }
  const alone = jobs.length === 1;
  return {
    type: 'batch.run',
    scheduler,
    batch: assign.batch,
    epoch: assign.epoch,
    model: spec.model,
    version: spec.version,
    solo: assign.solo,
    jobs: numbers,
    attempts,
    rows,
    budgetsMs,
    inputs: spec.inputs.map(
      (input) =>
        [input.name, input.datatype, alone ? input.shape : [rowsTotal, ...input.shape.slice(1)]] as const,
    ),
    split: !alone && bytes > joinBytesMax,
    outputs: spec.outputs,
  };
}
