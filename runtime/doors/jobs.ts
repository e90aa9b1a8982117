// The jobs of a node as people are shown them: what each asked for, how it ended, and the path that led there.
import type { ErrorCode } from '../../proto/errors.js';
import type { JobEnding, JobStep, JobTimes } from '../../proto/job.js';

export interface JobView {
  readonly id: string;
  readonly model: string;
  readonly version: string;
  readonly rows: number;
  readonly bytes: number;
  /** As clients give it: from 1, which is first. */
  readonly priority: number;
  readonly budgetMs: number;
  /** Null while it lives. */
  readonly ending: JobEnding | null;
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly retryAfterMs: number;
  /** Of the wall clock, as ISO 8601 has it; null while it lives. */
  readonly endedAt: string | null;
  readonly times: JobTimes | null;
  readonly path: readonly JobStep[];
}

export interface JobQuery {
  readonly last: number;
  /** Only those that ended otherwise than well. */
  readonly failed: boolean;
  /** Empty: of every model; else a model, or `model:version`. */
  readonly model: string;
}

export interface JobList {
  readonly router: string;
  /** In the order in which they ended. */
  readonly ended: readonly JobView[];
  /** In the order in which they came. */
  readonly live: readonly JobView[];
}
