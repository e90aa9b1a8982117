// What a job is when it is admitted and what it has become when it ends.
import type { ErrorCode } from './errors.js';
import type { TensorHeader } from './tensor.js';

/** Everything that decisions need to know of a request; its tensors' bytes stay with the router's host. */
export interface JobSpec {
  readonly model: string;
  /** Already resolved: never empty. */
  readonly version: string;
  /** How much of a batch it fills: its first dimension where the model batches, else 1. */
  readonly rows: number;
  /** Jobs of one model with the same key may share a batch: input shapes without rows, and the outputs wanted. */
  readonly shapeKey: string;
  readonly inputs: readonly TensorHeader[];
  /** Names in the order wanted; empty asks for all. */
  readonly outputs: readonly string[];
  readonly bytes: number;
  /** 0 goes first. */
  readonly priority: number;
  /** From admission to the last moment at which an answer is worth something. */
  readonly budgetMs: number;
  /** False: once its run has begun it is never run again, whatever becomes of the worker. */
  readonly idempotent: boolean;
  /** Jobs of the same identity that are in flight together run once; empty for a job that shares with nobody. */
  readonly identity: string;
  /** A second worker may be asked when the first takes far longer than expected. */
  readonly hedge: boolean;
}

export const jobEndings = ['completed', 'failed', 'expired', 'cancelled', 'rejected', 'displaced'] as const;

export type JobEnding = (typeof jobEndings)[number];

export interface JobStep {
  readonly state: string;
  /** Since admission. */
  readonly afterMs: number;
  readonly why: string;
}

export interface JobEnd {
  readonly ending: JobEnding;
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly retryAfterMs: number;
}

/** Where a job's time went, for statistics; of its last attempt. */
export interface JobTimes {
  readonly queueMs: number;
  readonly computeInputMs: number;
  readonly computeMs: number;
  readonly computeOutputMs: number;
  readonly batchRows: number;
}
