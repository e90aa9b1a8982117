// What a node says of itself in the store: one entry, as JSON that a person can read. What another cluster or another
// version of the protocol has written is refused by name, and so is what is no record at all.
import { type MemberId, type Role, roles } from '../proto/ids.js';
import { limits, protocolVersion } from '../proto/limits.js';
import { type NodeState, nodeStates } from '../proto/messages.js';
import type { Epoch } from '../proto/ownership.js';
import type { Member } from './membership.js';
import { isEpoch } from './ownership.js';
import { type Holding, holdingStates } from './placement.js';
import { mayBe, rankFor, rankOf } from './rank.js';

/** A worker process of the node. */
export interface WorkerRecord {
  readonly id: MemberId;
  /** Empty as long as it has not said. */
  readonly device: string;
}

/** What changes while a node lives. */
export interface Condition {
  readonly state: NodeState;
  readonly models: readonly string[];
  readonly labels: readonly string[];
  readonly workers: readonly WorkerRecord[];
  /** Requests that its router holds. */
  readonly jobs: number;
  /** Of the lists of owners that it has seen the highest; missing while it has seen none. */
  readonly ownersEpoch?: Epoch;
  /** Versions out of the store, and how far it is with each. */
  readonly holdings?: readonly Holding[];
}

export interface NodeRecord extends Condition {
  readonly cluster: string;
  readonly protocol: number;
  readonly build: string;
  readonly machine: string;
  readonly member: Member;
  /** Rises with every writing: who reads the same one twice has heard nothing new. */
  readonly beat: number;
}

const listMax = 4096;

export function writeRecord(record: NodeRecord): string {
  return JSON.stringify(record);
}

/** The record, or why it is none that this cluster can use. `key` is the member's id. */
export function readRecord(key: MemberId, text: string, cluster: string): NodeRecord | string {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    return `the entry of ${key} is not JSON`;
  }
  if (!isObject(told)) return `the entry of ${key} is no record of a node`;
  // These first: the rest may look otherwise in another version.
  if (told.cluster !== cluster) {
    return `${key} belongs to the cluster ${shown(told.cluster)}, this node to ${shown(cluster)}`;
  }
  if (told.protocol !== protocolVersion) {
    return `${key} speaks protocol version ${shown(told.protocol)}, this node speaks ${protocolVersion}`;
  }
  const amiss = amissIn(told, key);
  if (amiss !== undefined) return `the entry of ${key} has no good ${amiss}`;
  const record = told as unknown as NodeRecord;
  if (!mayBe(key, record.member.roles))
    return `the entry of ${key} says that it is a ${rankFor(record.member.roles)}, and its id that it is a ${rankOf(key)}`;
  // Another build may say other things of them: what can't be read of that is left out.
  return told.holdings === undefined || isList(told.holdings, isHolding)
    ? record
    : { ...record, holdings: [] };
}

type Told = Record<string, unknown>;

function amissIn(told: Told, key: MemberId): string | undefined {
  const { member } = told;
  if (!isObject(member) || member.id !== key || !isText(member.endpoint) || !isText(member.host))
    return 'member';
  if (!isList(member.roles, (role) => roles.includes(role as Role), roles.length)) return 'roles';
  if (!nodeStates.includes(told.state as NodeState)) return 'state';
  if (!isList(told.models, isText) || !isList(told.labels, isText)) return 'models or labels';
  const isWorker = (worker: unknown): boolean =>
    isObject(worker) && isText(worker.id) && isText(worker.device);
  if (!isList(told.workers, isWorker)) return 'workers';
  if (told.ownersEpoch !== undefined && !isEpoch(told.ownersEpoch)) return 'epoch of owners';
  if (!isCount(told.beat) || !isCount(told.jobs)) return 'beat or jobs';
  return isText(told.build) && isText(told.machine) ? undefined : 'build or machine';
}

function isHolding(given: unknown): boolean {
  if (!isObject(given) || !holdingStates.includes(given.state as Holding['state'])) return false;
  const { model, version, content, reason } = given;
  return [model, version, content, reason].every(isText);
}

function isObject(value: unknown): value is Told {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= limits.textLengthMax;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isList(value: unknown, fits: (item: unknown) => boolean, most = listMax): boolean {
  return Array.isArray(value) && value.length <= most && value.every(fits);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 80);
}
