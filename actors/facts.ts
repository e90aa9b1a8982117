// What an actor is told by its own process, beside what others say: these never travel on a wire.

import type { Batching } from '../proto/batching.js';
import type { ErrorCode } from '../proto/errors.js';
import type { JobNumber, MemberId, Role } from '../proto/ids.js';
import type { JobSpec } from '../proto/job.js';
import type { Cause, NodeOrder, Place } from '../proto/messages.js';
import type { Ownership } from '../proto/ownership.js';
import type { Datatype } from '../proto/tensor.js';

export type Fact =
  | { readonly type: 'timer.fired'; readonly timer: string }
  /** Everything that was at hand has been heard: now is the time to decide. */
  | { readonly type: 'tick.settled' }
  | {
      readonly type: 'link.opened';
      readonly member: MemberId;
      readonly roles: readonly Role[];
      /** Of a worker process: the node that started it. */
      readonly node?: MemberId;
    }
  | { readonly type: 'link.lost'; readonly member: MemberId; readonly reason: string }
  | { readonly type: 'drain.requested' }
  /** To a worker: it is to finish what it has and to stand by, until it is wanted again. */
  | { readonly type: 'vacancy.requested' }
  | { readonly type: 'return.requested' }
  /** The node is at another stage of its start or its stop. */
  | { readonly type: 'node.moved' }
  /** To a router, of somebody who may: that node is to be drained, to come back or to end. */
  | {
      readonly type: 'order.given';
      readonly asked: number;
      readonly node: MemberId;
      readonly order: NodeOrder;
      /** Also where nobody else could do what it does. */
      readonly forced: boolean;
    }
  /** The patience for a drain is at its end: what is left is ended. */
  | { readonly type: 'drain.spent' }
  | { readonly type: 'models.listed'; readonly models: readonly ListedModel[] }
  /** Which scheduler owns which model, as this node has it from the store. */
  | ({ readonly type: 'owners.told' } & Ownership)
  | { readonly type: 'job.submitted'; readonly job: JobNumber; readonly spec: JobSpec }
  | { readonly type: 'job.cancelled'; readonly job: JobNumber; readonly why: string }
  | {
      readonly type: 'model.loaded';
      readonly model: string;
      readonly version: string;
      readonly place: Place;
      readonly rowsMax: number;
      readonly runMs: number;
      /** What runs cost that were made to find that out: rows, ascending, and milliseconds. */
      readonly costs: readonly (readonly [number, number])[];
      readonly golden?: Golden;
      readonly runsOn?: string;
    }
  | {
      readonly type: 'model.failed';
      readonly model: string;
      readonly version: string;
      readonly reason: string;
      /** It could be loaded, and its golden input gave something else: the device may be at fault. */
      readonly suspect?: boolean;
      /** Its files are others by now: they are on their way as another edition. */
      readonly stale?: boolean;
    }
  | RunFinished
  /** What came of running golden inputs: `reason` says of which model and how, where one failed. */
  | { readonly type: 'device.probed'; readonly failed: boolean; readonly reason: string }
  | { readonly type: 'child.spawned'; readonly slot: number; readonly member: MemberId }
  | {
      readonly type: 'child.exited';
      readonly slot: number;
      readonly member: MemberId;
      readonly cause: Cause;
      readonly detail: string;
    };

/** Of a loaded model's golden input: it gave what was recorded before, it was recorded just now, or there is none. */
export type Golden = 'passed' | 'recorded' | 'none';

export interface ListedModel {
  readonly model: string;
  readonly version: string;
  /** Why it can't be served at all; empty when it can. */
  readonly broken: string;
  /** A run that takes longer is taken for hung. */
  readonly runMaxMs: number;
  readonly batching: Batching;
  /** `demand`: when it is asked for first. `now`: it is to take over, others make room for it. Else as soon as it fits. */
  readonly load?: 'start' | 'demand' | 'now';
  /** What it takes of a worker's memory, about. */
  readonly memoryMb?: number;
  /** It is out of the store of the cluster: where it is, and whether anywhere, is not up to one node. */
  readonly isShared?: boolean;
  /** Its tensors: equal where one edition can answer what was meant for another. */
  readonly form?: string;
}

export interface RunFinished {
  readonly type: 'run.finished';
  readonly key: string;
  /** Empty when the model answered. */
  readonly code: '' | ErrorCode;
  readonly reason: string;
  readonly outputs: readonly (readonly [string, Datatype, readonly number[]])[];
  /** As in `batch.finished`. */
  readonly sizes: readonly (readonly number[])[];
  readonly inputMs: number;
  readonly computeMs: number;
  readonly outputMs: number;
}
