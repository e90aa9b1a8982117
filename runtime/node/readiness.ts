// Whether a node is ready, whatever its roles: by the same charts that do its work, so that a probe hears what the cluster
// would find. The first thing that is missing is told.
import type { Chart } from '../../actors/chart.js';
import type { Completeness } from '../../actors/node/completeness.js';
import type { Role } from '../../proto/ids.js';
import type { NodeState } from '../../proto/messages.js';
import type { Condition } from '../doors/health.js';
import type { Children } from '../supervise/children.js';
import type { NodeEngine } from './engine.js';
import type { MemberProcess } from './member.js';
import type { Plan } from './plan.js';

export interface Facts {
  readonly state: NodeState;
  /** It is asked to stop, and answers what comes. */
  readonly isLeaving: boolean;
  readonly serves: ReadonlySet<Role>;
  /** Why its list of members is none yet; empty where it has one. */
  readonly joining: string;
  /** Whether it is linked to a node with that role. */
  readonly isLinkedTo: (role: Role) => boolean;
  /** Why its router is not ready; empty where it is, or where it has none. */
  readonly router: string;
  /** What its worker processes still wait for, or the node to fetch for them. */
  readonly workers: string;
}

export function whyUnready(facts: Facts): string {
  const { state, serves, isLinkedTo } = facts;
  if (state === 'starting') return 'it is starting';
  if (facts.isLeaving) return 'it is about to stop';
  if (state !== 'serving') return `it is ${state} by order; undrain it`;
  if (facts.joining !== '') return facts.joining;
  if (serves.has('scheduler') && !serves.has('router') && !isLinkedTo('router'))
    return 'it is linked to no router, so nobody gives it jobs to place';
  if (serves.has('router') && facts.router !== '') return facts.router;
  return serves.has('worker') ? facts.workers : '';
}

export interface Around {
  readonly chart: Chart;
  readonly duties: { readonly state: NodeState };
  readonly plan: Pick<Plan, 'serves' | 'workerNames'>;
  /** Undefined while it starts. */
  readonly member: Pick<MemberProcess, 'standing' | 'isLinkedTo'> | undefined;
  readonly engine: Pick<NodeEngine, 'ready' | 'unreadyReason' | 'supply'> | undefined;
  readonly children: Pick<Children, 'sights'>;
  /** What earlier probes found. */
  readonly completeness: Completeness;
}

/** As probes are told of it. */
export function conditionOf({ chart, duties, plan, member, engine, ...workers }: Around): Condition {
  const { children, completeness } = workers;
  const { state: membership, reason } = member?.standing() ?? { state: 'live', reason: '' };
  const unready = whyUnready({
    state: duties.state,
    isLeaving: chart.has('draining') || chart.state === 'stopped',
    serves: plan.serves,
    joining: membership === 'joining' ? reason : '',
    isLinkedTo: (role) => member?.isLinkedTo(role) === true,
    router: engine === undefined || engine.ready() ? '' : engine.unreadyReason(),
    workers: completeness.review(plan.workerNames.length, children.sights(), engine?.supply.behind() ?? ''),
  });
  return { reason: unready, ...(membership === 'frozen' && { doubt: { membership, reason } }) };
}
