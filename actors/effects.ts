// Everything that an actor can want done. One performer in the runtime carries these out, the simulator has another.

import type { ErrorCode } from '../proto/errors.js';
import type { JobNumber, MemberId } from '../proto/ids.js';
import type { JobEnd, JobStep, JobTimes } from '../proto/job.js';
import type { Cause, Message, NodeState, Place } from '../proto/messages.js';

export type Effect =
  | Send
  | Reply
  | Arm
  | Disarm
  | Settle
  | Load
  | Unload
  | RunBatch
  | Probe
  | Forget
  | Spawn
  | Kill
  | Abort
  | Vacated
  | Vacate
  | Moved
  | Leave
  | Ordered
  | Stopped
  | Note;

/** `batch.run` takes its jobs' inputs along, `batch.finished` its run's outputs. */
export interface Send {
  readonly type: 'send';
  readonly to: MemberId;
  readonly message: Message;
  /** Which run's outputs go along; empty for none. */
  readonly outputsOf: string;
}

/** The job has ended: its client hears so, its payload goes. */
export interface Reply {
  readonly type: 'reply';
  readonly job: JobNumber;
  readonly end: JobEnd;
  /** Tells on demand what it went through. */
  readonly record: { path(): readonly JobStep[] };
  /** Where its rows are in the `batch.finished` that is being heard; undefined without an answer. */
  readonly slice: Slice | undefined;
}

export interface Slice {
  /** Its place in the message's list of jobs. */
  readonly member: number;
  readonly rowsBefore: number;
  readonly rows: number;
  readonly rowsTotal: number;
  readonly times: JobTimes;
}

/** One timer per name; arming again moves it. */
export interface Arm {
  readonly type: 'arm';
  readonly timer: string;
  readonly at: number;
}

export interface Disarm {
  readonly type: 'disarm';
  readonly timer: string;
}

/** Asks to hear `tick.settled` once everything at hand has been heard. */
export interface Settle {
  readonly type: 'settle';
}

export interface Load {
  readonly type: 'load';
  readonly model: string;
  readonly version: string;
}

/** Nothing of it will be run any more. */
export interface Unload {
  readonly type: 'unload';
  readonly model: string;
  readonly version: string;
}

/** Run the members of a received `batch.run` that are listed, by their place in its list of jobs. */
export interface RunBatch {
  readonly type: 'run';
  readonly key: string;
  readonly place: Place;
  readonly members: readonly number[];
}

/** Run the golden inputs of these models, in order, until one fails. */
export interface Probe {
  readonly type: 'probe';
  readonly models: readonly { readonly model: string; readonly version: string }[];
}

/** The frames kept for a batch are not needed any more. */
export interface Forget {
  readonly type: 'forget';
  readonly key: string;
}

export interface Spawn {
  readonly type: 'spawn';
  readonly slot: number;
  readonly name: string;
}

export interface Kill {
  readonly type: 'kill';
  readonly slot: number;
  readonly reason: string;
}

/** This process can't be trusted any more and must end at once: what it runs may be to blame (`hung`) or is not. */
export interface Abort {
  readonly type: 'abort';
  readonly cause: Extract<Cause, 'hung' | 'stopped'>;
  readonly reason: string;
}

/** A worker that is to stand by has finished what it had, or it is back. */
export interface Vacated {
  readonly type: 'vacated';
  /** False: it takes work again. */
  readonly vacant: boolean;
}

/** The workers of this node are to stand by, or are wanted again. */
export interface Vacate {
  readonly type: 'vacate';
  readonly away: boolean;
}

/** The node has another state: whoever is told of it is to hear that. */
export interface Moved {
  readonly type: 'moved';
}

/** The node is to end. */
export interface Leave {
  readonly type: 'leave';
}

/** What came of an order to a node: the state that it is in, or why it was not given or not followed. */
export interface Ordered {
  readonly type: 'ordered';
  readonly asked: number;
  readonly state: NodeState;
  /** Empty where the node follows it. */
  readonly code: '' | ErrorCode;
  readonly reason: string;
}

/** A drain has ended: nothing is left to do here. */
export interface Stopped {
  readonly type: 'stopped';
}

/** Something worth a line in the log, a count and a look; `job` brings its path along. */
export interface Note {
  readonly type: 'note';
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: Readonly<Record<string, string | number | boolean>>;
}

export function send(to: MemberId, message: Message): Send {
  return { type: 'send', to, message, outputsOf: '' };
}

export function note(level: Note['level'], event: string, fields: Note['fields'] = {}): Note {
  return { type: 'note', level, event, fields };
}

/** Most of what is heard asks for nothing: one empty list for all, which nobody adds to. */
export const nothing: Effect[] = [];
