// What is said of jobs on their way: to a scheduler that one is to be placed or that nobody waits for it any more, to a
// worker the jobs that were placed together and the shape of their rows, to a client where the time went.
import type { MemberId } from '../../proto/ids.js';
import type { JobTimes } from '../../proto/job.js';
import type { Said } from '../../proto/messages.js';
import type { Epoch } from '../../proto/ownership.js';
import type { Job } from '../job/job.js';

/** Asks a scheduler to place a job, or to place it again. */
export function enqueueMessage(job: Job, owners: Epoch, now: number): Said<'job.enqueue'> {
  const { spec } = job;
  return {
    type: 'job.enqueue',
    job: job.number,
    attempt: job.attempt,
    model: spec.model,
    version: spec.version,
    shapeKey: spec.shapeKey,
    rows: spec.rows,
    bytes: spec.bytes,
    priority: spec.priority,
    budgetMs: Math.max(0, job.deadline - now),
    admitted: job.admitted,
    company: job.company,
    avoid: job.avoid,
    ownersCount: owners[0],
    ownersBy: owners[1],
  };
}

export function dispatchMessage(
  assign: Said<'batch.assign'>,
  scheduler: MemberId,
  jobs: readonly Job[],
  attempts: readonly number[],
  now: number,
  joinBytesMax: number,
): Said<'batch.run'> {
  const { spec } = jobs[0] as Job;
  const numbers: number[] = [];
  const rows: number[] = [];
  const budgetsMs: number[] = [];
  let bytes = 0;
  let rowsTotal = 0;
  for (const job of jobs) {
    numbers.push(job.number);
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

/** Where a job's time went, when it is answered. */
export function timesOf(job: Job, finished: Said<'batch.finished'>, batchRows: number): JobTimes {
  return {
    queueMs: (job.placement?.at ?? job.admittedAt) - job.admittedAt,
    computeInputMs: finished.inputMs,
    computeMs: finished.computeMs,
    computeOutputMs: finished.outputMs,
    batchRows,
  };
}

export function withdrawMessage(job: Job): Said<'job.withdraw'> {
  return { type: 'job.withdraw', job: job.number, attempt: job.attempt };
}

export function recallMessage(job: Job): Said<'batch.recall'> {
  return { type: 'batch.recall', scheduler: job.scheduler, batch: job.batch, jobs: [job.number] };
}

/** To a worker about a batch under watch: it may start, or its answer has come. */
export function goMessage(job: Job): Said<'batch.go'> {
  return { type: 'batch.go', scheduler: job.scheduler, batch: job.batch };
}
