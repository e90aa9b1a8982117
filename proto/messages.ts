// Everything that is said between processes. A message's number is never used twice: one that goes is listed under
// `retired`. Requests are `noun.verb`, facts `noun.pastVerb`. On the wire a message is a MessagePack array: its number,
// the count of its tensor frames, then its fields in the order in which they stand here.
import { batchPolicies, workerChoices } from './batching.js';
import { errorCodes } from './errors.js';
import {
  count,
  countBelow,
  duration,
  type Field,
  flag,
  listOf,
  name,
  oneOf,
  text,
  tuple,
  type ValueOf,
} from './field.js';
import { roles } from './ids.js';
import { limits } from './limits.js';
import { epochCountBound } from './ownership.js';
import { type Datatype, datatypes } from './tensor.js';

const jobs = listOf(count, limits.jobsPerBatchMax);
const durations = listOf(duration, limits.jobsPerBatchMax);
const code = oneOf(...errorCodes);
/**
 * How one member of a batch ended at the worker: it ran (empty), it was not taken and may go elsewhere (`returned`), it
 * was begun and is not answered, for the worker is in doubt (`withheld`), or an error.
 */
const memberCode = oneOf('', 'returned', 'withheld', ...errorCodes);
const datatype = oneOf(...(Object.keys(datatypes) as Datatype[]));
const shape = listOf(count, limits.dimensionsMax);
const tensors = listOf(tuple(name, datatype, shape), limits.tensorsPerJobMax);
const epoch = tuple(countBelow(epochCountBound), text);
const members = listOf(name, limits.membersMax);
const member = tuple(name, listOf(oneOf(...roles), roles.length), text, text);

/** Where a model runs inside a worker: tiny ones on its main thread, the others in its compute thread. */
export const places = ['inline', 'thread'] as const;
export type Place = (typeof places)[number];

export const verdicts = ['trusted', 'suspect', 'down'] as const;
export type Verdict = (typeof verdicts)[number];

/**
 * How a worker ended. `crashed`, `exhausted` and `hung` are evidence against what it was running; `killed` (an outside
 * hand) and `stopped` (on request) are not. `unknown` is a doubt: what ran goes on under watch, and is not called guilty
 * before word of a breakdown comes.
 */
export const causes = ['crashed', 'exhausted', 'hung', 'killed', 'stopped', 'unknown'] as const;
export type Cause = (typeof causes)[number];

/**
 * `retiring`: it still runs what comes, and waits for the scheduler's word that nothing more will. `resting`: it is loaded
 * when it is asked for. `yielding`: it makes room for others, and waits for the word that nothing is on its way. `fading`: it
 * rests and is not wanted any more, and waits for the word that nobody waits for it.
 */
export const shareStates = [
  'loading',
  'warming',
  'ready',
  'failed',
  'unloaded',
  'retiring',
  'resting',
  'yielding',
  'fading',
] as const;
export type ShareState = (typeof shareStates)[number];

/** `draining`: it takes no work, or is about to end. `drained`: nothing is left of what it had. */
export const nodeStates = ['starting', 'serving', 'draining', 'drained'] as const;
export type NodeState = (typeof nodeStates)[number];

/** `end` is a drain with the node's end behind it. */
export const nodeOrders = ['drain', 'undrain', 'end'] as const;
export type NodeOrder = (typeof nodeOrders)[number];

/** Numbers that once meant something and never will again. */
export const retired: readonly number[] = [];

export const messages = {
  // Links. Number 1 keeps its shape in every protocol version, so that a refusal can always be read.
  linkRefused: say(1, 'link.refused', { reason: text }),
  memberAnnounced: say(2, 'member.announced', { cluster: name, member, build: text }),
  membersListed: say(3, 'members.listed', { revision: count, members: listOf(member, limits.membersMax) }),
  memberLeft: say(4, 'member.left', { member: name, reason: text }),
  /** Before it announces itself over a link with keys: that the key it connects with is its own. */
  memberProved: say(5, 'member.proved', { key: name, proof: name }),

  // Trust.
  peerBeat: say(10, 'peer.beat', { sequence: count, intervalMs: duration }),
  peerJudged: say(11, 'peer.judged', { member: name, verdict: oneOf(...verdicts), reason: text }),
  workerExited: say(12, 'worker.exited', { worker: name, cause: oneOf(...causes), detail: text }),

  // Workers and schedulers.
  workerRegister: say(20, 'worker.register', {
    name,
    device: text,
    tags: listOf(name, limits.tagsMax),
    inlineCredits: count,
    threadCredits: count,
  }),
  workerRegistered: say(21, 'worker.registered', { epoch: count }),
  workerFenced: say(22, 'worker.fenced', { epoch: count, reason: text }),
  workerLeaving: say(23, 'worker.leaving', { epoch: count }),
  workerReported: say(24, 'worker.reported', { epoch: count, held: jobs }),
  shareChanged: say(25, 'share.changed', {
    epoch: count,
    model: name,
    version: name,
    state: oneOf(...shareStates),
    place: oneOf(...places),
    rowsMax: count,
    runMs: duration,
    reason: text,
    /** The device under it, and in brackets what else there is to be known of that. */
    runsOn: text,
  }),
  modelReported: say(26, 'model.reported', {
    model: name,
    version: name,
    ready: count,
    /** Workers of which it isn't known yet whether they can load it. */
    loading: count,
    /** Workers that could not load it; 0 once any had it ready, for then it is not the model's fault. */
    failed: count,
    /** Workers that load it when it is asked for. */
    resting: count,
    reason: text,
    /** How batches are formed at present, and why so. */
    policy: oneOf(...batchPolicies),
    why: text,
    /** What it runs on in those that have it ready, and in how many of them. */
    runsOn: listOf(tuple(text, count), limits.placesShownMax),
  }),
  /** How the model's owner wants it to be batched: said before its share is told ready. */
  modelDescribed: say(27, 'model.described', {
    epoch: count,
    model: name,
    version: name,
    policy: oneOf(...batchPolicies),
    preferred: listOf(count, limits.batchSizesMax),
    delayMostMs: duration,
    weight: duration,
    depthMax: count,
    bytesMax: count,
    choice: oneOf('', ...workerChoices),
    needs: listOf(name, limits.tagsMax),
    prefers: listOf(name, limits.tagsMax),
  }),
  /** What runs cost that were made to find that out: rows and milliseconds. */
  costsMeasured: say(28, 'costs.measured', {
    epoch: count,
    model: name,
    version: name,
    runs: listOf(tuple(count, duration), limits.batchSizesMax),
  }),
  /** To a worker where a model rests: somebody waits for it (`must`), or it would be of use there too. */
  shareWake: say(18, 'share.wake', { epoch: count, model: name, version: name, must: flag }),
  /** To a worker that retires a model: nothing more comes for it from here. */
  shareDismissed: say(29, 'share.dismissed', { epoch: count, model: name, version: name }),
  /** In doubt it takes nothing until its golden inputs have passed; `confined` is false once they have. */
  workerConfined: say(19, 'worker.confined', { epoch: count, confined: flag, reason: text }),

  // Routers and schedulers.
  jobEnqueue: say(30, 'job.enqueue', {
    job: count,
    attempt: count,
    model: name,
    version: name,
    shapeKey: text,
    rows: count,
    bytes: count,
    priority: count,
    budgetMs: duration,
    /** It was taken before: it is not turned away for want of room or time. */
    admitted: flag,
    /** `alone` asks for a batch of its own; `solo` besides for a worker that runs nothing else meanwhile. */
    company: oneOf('any', 'alone', 'solo'),
    /** A worker to keep away from while there is another; may be empty. */
    avoid: text,
    /** The epoch of the list of owners that the router goes by. */
    ownersCount: count,
    ownersBy: text,
  }),
  jobWithdraw: say(31, 'job.withdraw', { job: count, attempt: count }),
  jobRefused: say(32, 'job.refused', {
    job: count,
    attempt: count,
    code,
    reason: text,
    retryAfterMs: duration,
  }),
  batchAssign: say(33, 'batch.assign', {
    batch: count,
    worker: name,
    epoch: count,
    solo: flag,
    jobs,
    attempts: jobs,
    /** What the run will hardly take longer than, and its way there and back; 0 where nothing is known. */
    costMs: duration,
    transportMs: duration,
  }),
  batchDeclined: say(34, 'batch.declined', { batch: count }),
  batchLost: say(35, 'batch.lost', {
    batch: count,
    worker: name,
    epoch: count,
    jobs,
    attempts: jobs,
    /** `silent`: the scheduler lost its worker, which may have broken down. `unanswered`: the worker knows nothing of it. */
    cause: oneOf('silent', 'unanswered'),
  }),
  /** To a router that goes by an older list: who owns which model, and since which epoch. */
  ownersListed: say(36, 'owners.listed', {
    epoch,
    owners: listOf(tuple(text, name, epoch), limits.modelsOwnedMax),
  }),

  // Routers and workers. Tensor frames follow `batch.run` and `batch.finished`.
  batchRun: say(40, 'batch.run', {
    scheduler: name,
    batch: count,
    epoch: count,
    model: name,
    version: name,
    solo: flag,
    jobs,
    attempts: jobs,
    rows: jobs,
    budgetsMs: durations,
    /** Inputs of the whole batch. With `split` every job has frames of its own, else the rows stand in one frame. */
    inputs: tensors,
    split: flag,
    outputs: listOf(name, limits.tensorsPerJobMax),
  }),
  batchRecall: say(41, 'batch.recall', { scheduler: name, batch: count, jobs }),
  batchPrepared: say(42, 'batch.prepared', {
    scheduler: name,
    batch: count,
    epoch: count,
    jobs,
    attempts: jobs,
  }),
  batchGo: say(43, 'batch.go', { scheduler: name, batch: count }),
  batchStarted: say(44, 'batch.started', { batch: count, epoch: count, jobs, attempts: jobs }),
  batchFinished: say(45, 'batch.finished', {
    batch: count,
    epoch: count,
    jobs,
    attempts: jobs,
    rows: jobs,
    codes: listOf(memberCode, limits.jobsPerBatchMax),
    reason: text,
    /** The rows of those members that ran, in their order. */
    outputs: tensors,
    /** Per output the bytes of each member that ran, where only the content can tell (BYTES); else empty. */
    sizes: listOf(jobs, limits.tensorsPerJobMax),
    inputMs: duration,
    computeMs: duration,
    outputMs: duration,
  }),
  /** The credit comes back; `rows` is 0 when nothing ran, or not to a good end: then its time teaches nothing. */
  batchReleased: say(46, 'batch.released', {
    batch: count,
    epoch: count,
    rows: count,
    computeMs: duration,
    /** The run failed for the machinery's own fault: not for the model's, and not because nobody wanted it. */
    fault: flag,
  }),

  // Nodes.
  nodeOrder: say(60, 'node.order', {
    asked: count,
    order: oneOf(...nodeOrders),
    /** Nobody else could do what it does: it ends what there is before its workers stand by. */
    last: flag,
  }),
  nodeAnswered: say(61, 'node.answered', { asked: count, state: oneOf(...nodeStates), reason: text }),
  /** What is left of what it had: requests at its router and at its scheduler, and workers that have something yet. */
  nodeReported: say(62, 'node.reported', {
    state: oneOf(...nodeStates),
    requests: count,
    waiting: count,
    workers: count,
  }),
  /** Between routers: the sender is about to order a drain of that node, and wants to hear who else is away or may be soon. */
  drainClaim: say(63, 'drain.claim', { asked: count, node: name }),
  drainNoted: say(64, 'drain.noted', { asked: count, away: members, claimed: members }),
  /** To a scheduler: which models have only those workers that leave, of those that are not gone? */
  solesAsk: say(65, 'soles.ask', { asked: count, leaving: members, gone: members }),
  /** Each with the workers that have it too and do not count; `unknown`: of those that leave, who has not registered there. */
  solesTold: say(66, 'soles.told', {
    asked: count,
    models: listOf(tuple(name, name, members), limits.modelsOwnedMax),
    unknown: members,
  }),
} as const;

type Definitions = (typeof messages)[keyof typeof messages];
export type Message = { [D in Definitions as D['type']]: MessageOf<D> }[Definitions['type']];
export type MessageType = Message['type'];
export type Said<T extends MessageType> = Extract<Message, { type: T }>;

type Fields = Readonly<Record<string, Field<unknown>>>;
type MessageOf<D> =
  D extends Definition<infer T, infer F>
    ? { readonly type: T } & { readonly [K in keyof F]: ValueOf<F[K]> }
    : never;

export interface Definition<T extends string, F extends Fields> {
  readonly number: number;
  readonly type: T;
  readonly fields: F;
  readonly keys: readonly string[];
}

function say<T extends string, F extends Fields>(number: number, type: T, fields: F): Definition<T, F> {
  return { number, type, fields, keys: Object.keys(fields) };
}
