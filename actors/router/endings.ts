// What a client is told when its job did not end well: one sentence that says what happened and where the time went.
import type { ErrorCode } from '../../proto/errors.js';
import type { JobEnd, JobEnding } from '../../proto/job.js';
import { type Note, note } from '../effects.js';
import { figure } from '../job/figure.js';
import type { Job } from '../job/job.js';
import type { LossCause } from './loss.js';

export const completed: JobEnd = { ending: 'completed', code: undefined, message: '', retryAfterMs: 0 };

export function endOf(ending: JobEnding, code: ErrorCode, message: string): JobEnd {
  return { ending, code, message, retryAfterMs: 0 };
}

export function lossEnd(
  job: Job,
  fate: 'poisoned' | 'exhausted' | 'begun',
  cause: LossCause,
  code: ErrorCode,
  reason: string,
): JobEnd {
  switch (fate) {
    case 'poisoned':
      return endOf(
        'failed',
        'JOB_POISONED',
        `two workers ended while they ran this request (the last: ${cause})`,
      );
    case 'exhausted': {
      if (code === 'RESULT_INVALID' && job.failures > 1) {
        const blame = 'it is the fault of the model or of what it was given, not of a worker';
        return endOf('failed', code, `${job.failures} runs gave an invalid answer (${reason}): ${blame}`);
      }
      const because = reason === '' ? `the last worker was lost (${cause})` : reason;
      return endOf('failed', code, `given up after ${job.losses} attempts: ${because}`);
    }
    case 'begun': {
      const once = 'the model is not to be run twice for one request';
      if (reason === '' || code === 'DEVICE_LOST' || cause === 'withheld') {
        const lost = reason === '' ? cause : `${cause}: ${reason}`;
        return endOf(
          'failed',
          'RUN_LOST',
          `${job.worker} was lost (${lost}) when the run may have begun; ${once}`,
        );
      }
      return endOf('failed', code, `${reason}; ${once}`);
    }
  }
}

/** `lack`: why there is no other try. */
export function spentEnd(job: Job, reason: string, lack: string): JobEnd {
  const runs = `after ${job.failures} failed run${job.failures === 1 ? '' : 's'}`;
  return endOf('failed', 'RETRIES_SPENT', `given up ${runs} (${reason}): ${lack}`);
}

export function stoppedEnd(job: Job): JobEnd {
  const message = `the node stopped, and its patience for what was under way (drainMs) has passed: ${story(job)}`;
  return endOf('cancelled', 'NODE_STOPPED', message);
}

/** `lack`: what kept it from being run at all; empty when nothing did. */
export function lateEnd(job: Job, lack: string): JobEnd {
  const why = lack === '' ? '' : `; ${lack}`;
  const message = `the deadline of ${figure(job.spec.budgetMs)} ms passed: ${story(job)}${why}`;
  return endOf('expired', 'DEADLINE_EXCEEDED', message);
}

/** For the log: everything but a good end is told with its path. */
export function jobNote(job: Job, end: JobEnd): Note {
  const level = end.ending === 'failed' ? 'warn' : end.ending === 'expired' ? 'info' : 'debug';
  return note(level, 'job.ended', {
    job: job.number,
    model: job.spec.model,
    ending: end.ending,
    code: end.code ?? '',
    message: end.message,
    path: story(job),
  });
}

/** The path in one line: each state with how long after admission it was entered. */
function story(job: Job): string {
  return job
    .path()
    .map((step) => `${step.state} at ${figure(step.afterMs)} ms${step.why === '' ? '' : ` (${step.why})`}`)
    .join(', ');
}
