// A job of this node's router as it is shown to people, while it lives and after its end.
import { type JobNumber, jobId, type MemberId, versionOf } from '../../proto/ids.js';
import type { JobView } from '../doors/jobs.js';
import type { Asked, Ended } from './journal.js';

export function viewOf(self: MemberId, number: JobNumber, spec: Asked, path: JobView['path']): JobView {
  const { model, rows, bytes, priority, budgetMs } = spec;
  const open = { ending: null, code: null, message: '', retryAfterMs: 0, endedAt: null, times: null };
  const told = priority + 1;
  const version = versionOf(spec.version);
  return { id: jobId(self, number), model, version, rows, bytes, priority: told, budgetMs, ...open, path };
}

export function endedView(self: MemberId, { number, spec, end, record, times, endedAt }: Ended): JobView {
  const { ending, code, message, retryAfterMs } = end;
  return {
    ...viewOf(self, number, spec, record.path()),
    ...{ ending, code: code ?? null, message, retryAfterMs },
    endedAt: new Date(endedAt).toISOString(),
    times: times ?? null,
  };
}
