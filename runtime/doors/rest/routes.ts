// Which path is served by what. An unknown path is 404, a known one with another method 405.
import { SignalboxError } from '../../../proto/errors.js';
import {
  describeConfig,
  describeIndex,
  describeMetadata,
  describeServer,
  describeStatistics,
} from '../describe.js';
import { refusalOf, refuse } from '../door.js';
import { statusOf } from '../models.js';
import { actOn, type RepositoryAction } from '../repository.js';
import { invalidInput } from '../request.js';
import { quote } from '../sentence.js';
import type { Exchange } from './exchange.js';
import { type Floor, infer } from './infer.js';
import { listJobs, showJob } from './jobs.js';
import { withJson } from './json-body.js';
import { findCluster } from './nodes.js';
import { get, type Place } from './place.js';

export function serve(floor: Floor, exchange: Exchange): void {
  const url = exchange.request.url ?? '/';
  try {
    const model = exchange.request.method === 'POST' ? modelOf(url) : undefined;
    if (model !== undefined) {
      infer(floor, exchange, model, '');
      return;
    }
    const query = url.indexOf('?');
    const path = query === -1 ? url : url.slice(0, query);
    const place = find(floor, exchange, segmentsOf(path));
    if (place === undefined) {
      throw new SignalboxError(
        'PATH_UNKNOWN',
        `nothing is served under ${quote(path)}; the API begins at /v2`,
      );
    }
    const given = exchange.request.method === 'HEAD' ? 'GET' : exchange.request.method;
    if (given === place.method || place.method === 'any') place.serve();
    else {
      const sentence = `${quote(path)} takes ${place.method}, not ${exchange.request.method}`;
      exchange.refuse(refuse('METHOD_WRONG', sentence), { allow: place.method });
    }
  } catch (fault) {
    exchange.refuse(refusalOf(fault, floor.log));
  }
}

const inferBegin = '/v2/models/';
const inferEnd = '/infer';

/** Of the plainest of all paths, which nearly every request has. */
function modelOf(url: string): string | undefined {
  if (!url.startsWith(inferBegin) || !url.endsWith(inferEnd)) return undefined;
  const model = url.slice(inferBegin.length, -inferEnd.length);
  return /^[\w.-]+$/.test(model) ? model : undefined;
}

function segmentsOf(path: string): string[] {
  const segments = path.split('/');
  segments.shift();
  if (segments.at(-1) === '') segments.pop();
  if (!path.includes('%')) return segments;
  try {
    return segments.map(decodeURIComponent);
  } catch {
    throw invalidInput(`the path ${quote(path)} has a % that is followed by no UTF-8 character`);
  }
}

function find(floor: Floor, exchange: Exchange, segments: readonly string[]): Place | undefined {
  if (segments[0] !== 'v2') return undefined;
  switch (segments[1]) {
    case undefined:
      return get(() => exchange.json(describeServer(floor.options.serverVersion)));
    case 'models':
      return findModel(floor, exchange, segments.slice(2));
    case 'health':
      return findHealth(floor, exchange, segments.slice(2));
    case 'signalbox':
      return findOwn(floor, exchange, segments.slice(2));
    case 'repository':
      return findRepository(floor, exchange, segments.slice(2));
    case 'systemsharedmemory':
    case 'cudasharedmemory':
      return segments.at(-1) === 'status' ? get(() => exchange.json([])) : unsupported('shared memory');
    case 'trace':
    case 'logging':
      return unsupported('trace and log settings over the wire');
    default:
      return undefined;
  }
}

function findModel(floor: Floor, exchange: Exchange, rest: readonly string[]): Place | undefined {
  const { engine, models } = floor;
  if (rest.length === 1 && rest[0] === 'stats') {
    return get(() => exchange.json(describeStatistics(models, engine, '', '')));
  }
  const [model, ...after] = rest;
  if (model === undefined) return undefined;
  const versioned = after[0] === 'versions';
  const version = versioned ? after[1] : '';
  const ask = versioned ? after[2] : after[0];
  if (version === undefined || after.length > (versioned ? 3 : 1)) return undefined;
  switch (ask) {
    case 'infer':
      return { method: 'POST', serve: () => infer(floor, exchange, model, version) };
    case undefined:
      return get(() => exchange.json(describeMetadata(engine, models.known(model, version))));
    case 'config':
      return get(() => exchange.json(describeConfig(engine, models.known(model, version))));
    case 'stats':
      return get(() => exchange.json(describeStatistics(models, engine, model, version)));
    case 'ready':
      return get(() => modelReady(floor, exchange, model, version));
    default:
      return undefined;
  }
}

function modelReady(floor: Floor, exchange: Exchange, model: string, version: string): void {
  const entry = floor.models.known(model, version);
  const status = statusOf(floor.engine, entry);
  if (status.state === 'READY') exchange.json({ name: entry.name, ready: true });
  else {
    const why = status.reason === '' ? '' : `: ${status.reason}`;
    exchange.refuse(refuse('MODEL_UNAVAILABLE', `model ${quote(model)} is ${status.state}${why}`));
  }
}

function findHealth(floor: Floor, exchange: Exchange, rest: readonly string[]): Place | undefined {
  const { engine } = floor;
  if (rest.length !== 1) return undefined;
  if (rest[0] === 'live') {
    return get(() => {
      if (engine.live()) exchange.json({ live: true });
      else exchange.refuse(refuse('DRAINING', 'the server is not live'));
    });
  }
  if (rest[0] !== 'ready') return undefined;
  return get(() => {
    const { state, reason } = engine.cluster();
    const isKnown = state === 'live';
    // It serves on with a list that is not kept, but does not hear of who joins and who leaves.
    if (engine.ready())
      return exchange.json({ ready: true, ...(isKnown ? {} : { membership: state, reason }) });
    const doubt = isKnown ? '' : `; its list of members is ${state}: ${reason}`;
    exchange.refuse(
      refuse('MODEL_UNAVAILABLE', `the server is not ready: ${engine.unreadyReason()}${doubt}`),
    );
  });
}

/** What is ours alone and no part of the protocol. */
function findOwn(floor: Floor, exchange: Exchange, rest: readonly string[]): Place | undefined {
  const { engine, models } = floor;
  const [what, ...id] = rest;
  if (what === 'cluster') return findCluster(floor, exchange, id);
  if (what !== 'jobs' || id.length > 2) return undefined;
  if (id.length === 0) return get(() => exchange.json(listJobs(engine, models, exchange.request.url ?? '')));
  return get(() => exchange.json(showJob(engine, id)));
}

function findRepository(floor: Floor, exchange: Exchange, rest: readonly string[]): Place | undefined {
  if (rest.length === 1 && rest[0] === 'index') {
    return { method: 'POST', serve: () => index(floor, exchange) };
  }
  const action = rest[2];
  if (rest.length === 3 && rest[0] === 'models' && (action === 'load' || action === 'unload')) {
    return { method: 'POST', serve: () => act(floor, exchange, action, rest[1] as string) };
  }
  return undefined;
}

/** The body may be empty. */
function act(floor: Floor, exchange: Exchange, action: RepositoryAction, model: string): void {
  withJson(floor, exchange, (asked) => {
    const given = asked['parameters'];
    const parameters = typeof given === 'object' && given !== null ? Object.keys(given) : [];
    actOn(floor.engine, action, model, parameters).then(
      () => exchange.json({}),
      (fault) => exchange.refuse(refusalOf(fault, floor.log)),
    );
  });
}

/** The body may be empty, or say {"ready": true} for only those that can be used now. */
function index(floor: Floor, exchange: Exchange): void {
  withJson(floor, exchange, (asked) => exchange.json(describeIndex(floor.engine, asked['ready'] === true)));
}

function unsupported(what: string): Place {
  const serveNot = () => {
    throw new SignalboxError('UNSUPPORTED', `this server does not have ${what}`);
  };
  return { method: 'any', serve: serveNot };
}
