// GET /v2/signalbox/jobs and /v2/signalbox/jobs/<id>: what became of the latest requests, and why.
import { SignalboxError } from '../../../proto/errors.js';
import { parseJobId } from '../../../proto/ids.js';
import type { Engine } from '../engine.js';
import type { JobList, JobQuery, JobView } from '../jobs.js';
import type { Models } from '../models.js';
import { invalidInput } from '../request.js';
import { quote } from '../sentence.js';

const lastByDefault = 20;
const lastMost = 10_000;
const keys = ['last', 'failed', 'model'];

export function listJobs(engine: Engine, models: Models, url: string): JobList {
  const query = queryOf(url);
  if (query.model !== '') {
    const [model, version] = query.model.split(':', 2) as [string, string | undefined];
    models.known(model, version ?? '');
  }
  return engine.jobs(query);
}

/** `id`: the router and the job's number there, or the number alone. */
export function showJob(engine: Engine, id: readonly string[]): JobView {
  const text = id.join('/');
  const asked = parseJobId(text);
  if (asked === undefined) {
    throw invalidInput(
      `${quote(text)} is no id of a job; wanted is one as errors and logs have it, such as node.k3f9x2/2a`,
    );
  }
  const { router, job } = asked;
  if (router !== '' && router !== engine.router()) {
    throw new SignalboxError(
      'PATH_UNKNOWN',
      `job ${quote(text)} is of the router ${router}; here is ${engine.router()}: ask the node that took it`,
    );
  }
  const view = engine.job(job);
  if (view !== undefined) return view;
  throw new SignalboxError(
    'PATH_UNKNOWN',
    `job ${quote(text)} is not known here: it never was, or too many others have ended since (jobsKeptMax)`,
  );
}

function queryOf(url: string): JobQuery {
  const at = url.indexOf('?');
  const given = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
  for (const key of given.keys()) {
    if (!keys.includes(key)) {
      throw invalidInput(
        `${quote(key)} is nothing that jobs can be asked for by; there are ${keys.join(', ')}`,
      );
    }
  }
  const last = given.get('last') ?? String(lastByDefault);
  if (!/^\d{1,9}$/.test(last) || Number(last) < 1 || Number(last) > lastMost) {
    throw invalidInput(`"last" is ${quote(last)}, wanted is a whole number from 1 to ${lastMost}`);
  }
  const failed = given.get('failed') ?? '0';
  if (failed !== '0' && failed !== '1') throw invalidInput(`"failed" is ${quote(failed)}, wanted is 0 or 1`);
  return { last: Number(last), failed: failed === '1', model: given.get('model') ?? '' };
}
