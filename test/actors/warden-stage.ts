// A stage for wardens: two routers, a scheduler and three hosts that say things to each other as a test lets them.
import type { Effect, Ordered } from '../../actors/effects.js';
import { type Known, Warden, type WardenOptions } from '../../actors/node/warden.js';
import type { MemberId } from '../../proto/ids.js';
import type { Message, NodeOrder } from '../../proto/messages.js';

export const routers = ['front.aa', 'rear.bb'] as const;
export const plan = 'plan.cc';
export const hosts = ['left.dd', 'mid.ee', 'right.ff'] as const;
export const members: readonly Known[] = [
  ...routers.map((id) => ({ id, roles: ['router', 'health'] as const, host: '' })),
  { id: plan, roles: ['scheduler'], host: '' },
  ...hosts.map((id) => ({ id, roles: ['host'] as const, host: '' })),
  ...hosts.map((host) => ({ id: workerOf(host), roles: ['worker'] as const, host })),
];
/** Which nodes have workers with it. */
export const models: Readonly<Record<string, readonly MemberId[]>> = {
  shared: hosts,
  pair: ['left.dd', 'mid.ee'],
  sole: ['right.ff'],
};
export const serving = { requests: 0, waiting: 0, workers: 0 };

function workerOf(host: MemberId): MemberId {
  return `${host.split('.')[0]}-worker.${host.split('.')[1]}`;
}

/** What a scheduler says when those workers leave, as it really does by what its workers have. */
export function solesOf(leaving: readonly string[], gone: readonly string[]): [string, string, string[]][] {
  return Object.entries(models).flatMap(([model, at]) => {
    const workers = at.map(workerOf);
    const stay = workers.filter((id) => !leaving.includes(id) && !gone.includes(id));
    const isSole = workers.some((id) => leaving.includes(id)) && stay.length === 0;
    return isSole ? [[model, '1', workers.filter((id) => gone.includes(id))]] : [];
  });
}

/** Wardens, nodes and a scheduler; what they say to each other waits per pair until it is let through. */
export class WardenStage {
  now = 0;
  readonly wardens = new Map<MemberId, Warden>();
  readonly ends = new Map<number, Ordered>();
  readonly drained = new Set<MemberId>();
  readonly lines = new Map<string, { from: MemberId; to: MemberId; message: Message }[]>();
  private readonly armed = new Map<string, number>();
  asked = 0;
  isPlanSilent = false;

  constructor(own: Partial<WardenOptions> = {}, given: readonly Known[] = members) {
    for (const self of routers) {
      const isLinked = (): boolean => true;
      const warden = new Warden({ self, members: () => given, isLinked, takers: () => undefined, ...own });
      this.wardens.set(self, warden);
    }
    for (const self of routers)
      for (const { id: member, roles } of given) this.hear(self, { type: 'link.opened', member, roles });
  }

  hear(at: MemberId, heard: Parameters<Warden['receive']>[0], from = at): Effect[] {
    const effects = this.wardens.get(at)?.receive(heard, from, this.now) ?? [];
    for (const effect of effects) {
      if (effect.type === 'send') this.put(at, effect.to, effect.message);
      else if (effect.type === 'ordered') this.ends.set(effect.asked, effect);
      else if (effect.type === 'arm') this.armed.set(`${at} ${effect.timer}`, effect.at);
      else if (effect.type === 'disarm') this.armed.delete(`${at} ${effect.timer}`);
    }
    return effects;
  }

  give(at: MemberId, node: MemberId, order: NodeOrder = 'drain', forced = false): number {
    const asked = ++this.asked;
    this.hear(at, { type: 'order.given', asked, node, order, forced });
    return asked;
  }

  /** The next of one line gets there; false where nothing is under way. */
  step(pick: (count: number) => number = () => 0): boolean {
    const lines = [...this.lines.values()].filter((line) => line.length > 0);
    const next = lines[pick(lines.length)]?.shift();
    if (next === undefined) return false;
    const { from, to, message } = next;
    if (this.wardens.has(to) && message.type !== 'node.order') this.hear(to, message, from);
    else if (message.type === 'node.order') this.obey(from, to, message);
    else if (message.type === 'soles.ask' && !this.isPlanSilent)
      this.put(to, from, {
        type: 'soles.told',
        asked: message.asked,
        models: solesOf(message.leaving, message.gone),
        unknown: [],
      });
    return true;
  }

  settle(pick?: (count: number) => number): void {
    while (this.step(pick));
  }

  /** The timers of that warden fire. */
  passes(at: MemberId): void {
    for (const [key] of [...this.armed]) {
      const [warden, timer = ''] = key.split(' ');
      if (warden !== at || !this.armed.delete(key)) continue;
      this.hear(at, { type: 'timer.fired', timer });
    }
  }

  private obey(
    by: MemberId,
    node: MemberId,
    { asked, order }: Extract<Message, { type: 'node.order' }>,
  ): void {
    const state = order === 'undrain' ? 'serving' : 'draining';
    if (state === 'draining') this.drained.add(node);
    else this.drained.delete(node);
    for (const router of routers) this.put(node, router, { type: 'node.reported', state, ...serving });
    this.put(node, by, { type: 'node.answered', asked, state, reason: '' });
  }

  private put(from: MemberId, to: MemberId, message: Message): void {
    const key = `${from} ${to}`;
    this.lines.set(key, [...(this.lines.get(key) ?? []), { from, to, message }]);
  }
}
