// The cluster as one of its nodes sees it, for people and programs: who is there, what each says of itself, and how far
// that can be trusted now.
import type { Standing } from '../../cluster/membership.js';
import type { NodeRecord } from '../../cluster/record.js';
import type { MemberId, Role } from '../../proto/ids.js';
import type { NodeState, Said } from '../../proto/messages.js';
import type { Epoch } from '../../proto/ownership.js';
import type { RefusalKind } from '../keys/ring.js';

export interface ClusterView {
  readonly cluster: string;
  /** Who was asked. */
  readonly self: MemberId;
  /** How its members find each other: a node that founded it keeps the list, or NATS does. */
  readonly by: 'founder' | 'nats';
  readonly state: Standing['state'];
  /** Why the list may be out of date; empty when it is not. */
  readonly reason: string;
  readonly members: readonly MemberView[];
  /** Others that have no link to this node for want of a key, and are no members that it knows; missing where there are none. */
  readonly strangers?: readonly Barred[];
  /** Models, by version, that nodes serve out of the store, which no longer has them; missing where there are none. */
  readonly lost?: readonly string[];
  /** Which scheduler has which model; missing where no list of that is kept. */
  readonly owners?: OwnersView;
}

export interface OwnersView {
  readonly epoch: Epoch;
  readonly models: readonly OwnedView[];
}

export interface OwnedView {
  readonly model: string;
  readonly owner: MemberId;
  /** Since when it has it. */
  readonly epoch: Epoch;
  /** Whom this node asks in its place, where it does: the owner is lost, or reaches no worker with the model. */
  readonly asked?: MemberId;
}

export type LeftThere = Omit<Said<'node.reported'>, 'type' | 'state'>;

export const nodeActions = ['drain', 'undrain', 'remove'] as const;
export type NodeAction = (typeof nodeActions)[number];

/** What came of an order to a node. `gone`: it was dead, and its entry has been taken out. */
export interface NodeOrdered {
  readonly node: MemberId;
  readonly state: NodeState | 'gone';
}

/** A link that does not come about because of keys. */
export interface Barred {
  /** The address of the other side. */
  readonly at: string;
  readonly key?: string;
  /** Of which kind the reason is, for programs. */
  readonly kind: RefusalKind;
  readonly reason: string;
  /** What to do, and where; empty where that can't be told. */
  readonly mend: string;
}

/** How the node that was asked sees another, whatever that says of itself. */
export interface Seen {
  /** Its silence is longer than is trusted, or its link is missing: so long nothing has come of it. */
  readonly silentMs?: number;
  /** Who doubts it, the node that was asked among them. */
  readonly doubtedBy?: readonly MemberId[];
  readonly barred?: Barred;
}

export interface MemberView extends Seen {
  readonly id: MemberId;
  readonly roles: readonly Role[];
  readonly endpoint: string;
  /** Of a worker process the node that started it. */
  readonly host: MemberId;
  /** Whether the node that was asked has a link to it. */
  readonly linked: boolean;
  /** Of a node: whether it serves, by what is known last. */
  readonly state?: NodeState;
  /** While it drains what is left, and after that the workers that have yet to come back. */
  readonly left?: LeftThere;
  /** What it says of itself, where nodes do; `beat` counts how often it has said it. */
  readonly node?: Pick<
    NodeRecord,
    'state' | 'machine' | 'build' | 'models' | 'labels' | 'workers' | 'jobs' | 'beat' | 'holdings'
  >;
}
