// Orders to the nodes of the cluster, as a router gives them: finds who is meant, sees to it that somebody is left who can
// do what that node does, sends the order and waits for its answer. It also keeps what nodes report of their state.
import type { Actor, Heard } from '../../actors/actor.js';
import { type Effect, nothing, send } from '../../actors/effects.js';
import type { Member } from '../../cluster/membership.js';
import { SignalboxError } from '../../proto/errors.js';
import { type MemberId, nameOf, type Role } from '../../proto/ids.js';
import type { NodeOrder, Said } from '../../proto/messages.js';
import { after } from '../clock.js';
import type { NodeAction, NodeOrdered } from '../doors/cluster.js';

export interface OrdersOptions {
  readonly control: 'on' | 'off';
  readonly members: () => readonly Member[];
  readonly isLinked: (member: MemberId) => boolean;
  readonly perform: (effects: readonly Effect[]) => void;
  /** Takes a dead one off the list; undefined where the list has only those that are linked. */
  readonly evict: ((member: MemberId) => void) | undefined;
}

type Answered = Said<'node.answered'>;

const answerWaitMs = 3000;
const shownMost = 20;
const orderOf = { drain: 'drain', undrain: 'undrain', remove: 'end' } as const satisfies Record<
  NodeAction,
  NodeOrder
>;
const rolesInWords: Readonly<Record<Role, string>> = {
  router: 'takes requests (router)',
  scheduler: 'places jobs (scheduler)',
  health: 'watches over the others (health)',
  host: 'has workers',
  worker: 'is a worker',
};

export class Orders implements Actor {
  readonly hears: ReadonlySet<Heard['type']> = new Set<Heard['type']>([
    'node.reported',
    'node.answered',
    'link.lost',
  ]);
  private readonly reports = new Map<MemberId, Said<'node.reported'>>();
  private readonly waiting = new Map<number, (answered: Answered) => void>();
  private readonly options: OrdersOptions;
  private asked = 0;

  constructor(options: OrdersOptions) {
    this.options = options;
  }

  receive(heard: Heard, from: MemberId): Effect[] {
    if (heard.type === 'node.reported') this.reports.set(from, heard);
    else if (heard.type === 'link.lost') this.reports.delete(heard.member);
    else if (heard.type === 'node.answered') this.waiting.get(heard.asked)?.(heard);
    return nothing;
  }

  reportOf(member: MemberId): Said<'node.reported'> | undefined {
    return this.reports.get(member);
  }

  async give(given: string, action: NodeAction, isForced: boolean): Promise<NodeOrdered> {
    if (this.options.control === 'off') {
      const message =
        'nodes are not drained or removed by clients of this node: its setting clusterControl is off';
      throw new SignalboxError('UNSUPPORTED', message);
    }
    const member = this.find(given);
    const { id } = member;
    if (!this.options.isLinked(id)) return this.missing(id, action);
    const needed = action === 'undrain' ? [] : this.needed(member);
    if (needed.length > 0 && !isForced) {
      const what = needed.map((role) => rolesInWords[role]).join(', and ');
      throw new SignalboxError(
        'NODE_NEEDED',
        `${id} is the last serving node that ${what}: requests would find nobody. Start another first, or use force`,
      );
    }
    const { state, reason } = await this.send(id, orderOf[action], needed.length > 0);
    if (reason !== '') throw new SignalboxError('NODE_UNREACHABLE', `${id} did not follow: ${reason}`);
    return { node: id, state };
  }

  /** By its id, its name, or the beginning of its id, where that is one node's alone. */
  private find(given: string): Member {
    const all = this.options.members();
    const nodes = all.filter(({ roles }) => !roles.includes('worker'));
    const exact = nodes.filter(({ id }) => id === given || nameOf(id) === given);
    const found = exact.length > 0 ? exact : nodes.filter(({ id }) => given !== '' && id.startsWith(given));
    const [only] = found;
    if (only !== undefined && found.length === 1) return only;
    const worker = all.find(
      ({ id, roles }) => roles.includes('worker') && (id === given || nameOf(id) === given),
    );
    if (worker !== undefined) {
      const hint = worker.host === '' ? '' : `: that node is ${worker.host}`;
      throw new SignalboxError(
        'NODE_UNKNOWN',
        `${worker.id} is a worker process, which goes with its node${hint}`,
      );
    }
    const listed = (some: readonly Member[]): string => {
      const ids = some.slice(0, shownMost).map(({ id }) => id);
      return some.length > shownMost
        ? `${ids.join(', ')} and ${some.length - shownMost} more`
        : ids.join(', ');
    };
    throw new SignalboxError(
      'NODE_UNKNOWN',
      found.length > 1
        ? `${JSON.stringify(given)} may be ${listed(found)}: say which`
        : `no node is called ${JSON.stringify(given)}; there are ${listed(nodes)}`,
    );
  }

  /** What nobody else that serves could do. */
  private needed({ id, roles }: Member): Role[] {
    const others = this.options
      .members()
      .filter((other) => other.id !== id && this.options.isLinked(other.id))
      .filter((other) => (this.reports.get(other.id)?.state ?? 'serving') === 'serving');
    return roles.filter((role) => !others.some((other) => other.roles.includes(role)));
  }

  private missing(id: MemberId, action: NodeAction): NodeOrdered {
    const { evict } = this.options;
    if (action === 'remove' && evict !== undefined) {
      evict(id);
      return { node: id, state: 'gone' };
    }
    throw new SignalboxError(
      'NODE_UNREACHABLE',
      `${id} is listed, but the node that was asked has no link to it. If it is dead, \`cluster remove\` takes its entry ` +
        'out; if it is not, ask another router',
    );
  }

  private send(node: MemberId, order: NodeOrder, last: boolean): Promise<Answered> {
    const asked = ++this.asked;
    return new Promise((resolve, reject) => {
      const late = after(answerWaitMs, () => {
        this.waiting.delete(asked);
        reject(
          new SignalboxError('NODE_UNREACHABLE', `${node} did not answer within ${answerWaitMs / 1000} s`),
        );
      });
      this.waiting.set(asked, (answered) => {
        this.waiting.delete(asked);
        late.cancel();
        resolve(answered);
      });
      this.options.perform([send(node, { type: 'node.order', asked, order, last })]);
    });
  }
}
