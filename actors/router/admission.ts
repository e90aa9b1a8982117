// Whether a router takes a request: nothing is admitted that could only wait for its deadline, and every refusal says
// which bound was met and when another try is worth it.
import { editionText } from '../../proto/ids.js';
import type { JobEnd, JobSpec } from '../../proto/job.js';
import { isUnavailable, type ModelCondition } from './coverage.js';

export interface AdmissionLimits {
  readonly jobsMax: number;
  readonly payloadBytesMax: number;
}

/** What the router holds, the new job included. */
export interface Holding {
  readonly size: number;
  readonly payloadBytes: number;
}

const drainRetryMs = 1000;
const fullRetryMs = 100;

export const draining: JobEnd = rejected(
  'DRAINING',
  'the node is shutting down and takes no new work',
  drainRetryMs,
);

/** The end of a job that is not taken; undefined when it is. */
export function refusal(
  spec: JobSpec,
  open: boolean,
  model: ModelCondition,
  holding: Holding,
  limits: AdmissionLimits,
): JobEnd | undefined {
  if (!open) return draining;
  const { jobsMax, payloadBytesMax } = limits;
  if (holding.size > jobsMax) {
    return rejected('QUEUE_FULL', `the router holds ${jobsMax} jobs, its bound (jobsMax)`, fullRetryMs);
  }
  if (holding.payloadBytes > payloadBytesMax) {
    const message = `the router holds payload up to its bound of ${payloadBytesMax} bytes (payloadBytesMax)`;
    return rejected('QUEUE_FULL', message, fullRetryMs);
  }
  if (isUnavailable(model)) {
    return rejected(
      'MODEL_UNAVAILABLE',
      `model ${spec.model} version ${editionText(spec.version)}: ${model.reason}`,
      0,
    );
  }
  return undefined;
}

function rejected(code: NonNullable<JobEnd['code']>, message: string, retryAfterMs: number): JobEnd {
  return { ending: 'rejected', code, message, retryAfterMs };
}
