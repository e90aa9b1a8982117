// Wardens in bad weather, in virtual time: what nodes say and hear is seconds late, links between nodes and routers are lost with
// all that is under way, and come back. Routers hear each other and the scheduler in time: without that nobody can settle anything.
import type { Effect, Ordered } from '../../actors/effects.js';
import { Warden } from '../../actors/node/warden.js';
import type { MemberId } from '../../proto/ids.js';
import type { Message, NodeOrder, Said } from '../../proto/messages.js';
import type { Random } from '../simulation/random.js';
import { type Happening, Timeline } from '../simulation/timeline.js';
import { members, plan, routers, serving, solesOf } from './warden-stage.js';

/** Both ways of a question together stay below what a warden waits for an answer. */
const promptMostMs = 240;
/** Of words between nodes and routers, in one kind of weather or the other. */
const lateMostMs = [50, 1000, 5000];
const awayMs = { least: 1, most: 6000 };

interface Line {
  /** In one line nothing overtakes. */
  lastAt: number;
  readonly under: Set<Happening>;
}

export class WardenWeather {
  readonly timeline = new Timeline();
  /** What came of each order, as often as it was told. */
  readonly ends = new Map<number, Ordered[]>();
  readonly drained = new Set<MemberId>();
  private readonly wardens = new Map<MemberId, Warden>();
  private readonly lines = new Map<string, Line>();
  private readonly timers = new Map<string, Happening>();
  private readonly cut = new Set<string>();
  private readonly dice: Random;
  private readonly lateMostMs: number;
  private asked = 0;

  constructor(dice: Random) {
    this.dice = dice;
    this.lateMostMs = dice.pick(lateMostMs);
    for (const self of routers) {
      const isLinked = (member: MemberId): boolean => !this.cut.has(wordOf(self, member));
      const warden = new Warden({ self, members: () => members, isLinked, takers: () => undefined });
      this.wardens.set(self, warden);
    }
    for (const self of routers)
      for (const { id: member, roles } of members) this.hear(self, { type: 'link.opened', member, roles });
  }

  give(at: MemberId, node: MemberId, order: NodeOrder): number {
    const asked = ++this.asked;
    this.ends.set(asked, []);
    this.hear(at, { type: 'order.given', asked, node, order, forced: false });
    return asked;
  }

  /** What is under way between them is lost, and for a while whatever they say. */
  lose(router: MemberId, node: MemberId): void {
    const word = wordOf(router, node);
    if (this.cut.has(word)) return;
    this.cut.add(word);
    for (const key of [word, wordOf(node, router)]) {
      for (const happening of this.lines.get(key)?.under ?? []) happening.cancelled = true;
      this.lines.delete(key);
    }
    this.hear(router, { type: 'link.lost', member: node, reason: 'gone' });
    this.timeline.after(this.dice.between(awayMs.least, awayMs.most), () => {
      this.cut.delete(word);
      this.hear(router, { type: 'link.opened', member: node, roles: ['host'] });
      this.put(node, router, this.report(node));
    });
  }

  private hear(at: MemberId, heard: Parameters<Warden['receive']>[0], from = at): void {
    const warden = this.wardens.get(at) as Warden;
    for (const effect of warden.receive(heard, from, this.timeline.now)) this.perform(at, effect);
  }

  private perform(at: MemberId, effect: Effect): void {
    if (effect.type === 'send') this.put(at, effect.to, effect.message);
    else if (effect.type === 'ordered') this.ends.get(effect.asked)?.push(effect);
    else if (effect.type === 'arm' || effect.type === 'disarm') {
      const key = `${at} ${effect.timer}`;
      const armed = this.timers.get(key);
      if (armed !== undefined) armed.cancelled = true;
      if (effect.type === 'disarm') return;
      const fire = (): void => this.hear(at, { type: 'timer.fired', timer: effect.timer });
      this.timers.set(key, this.timeline.at(effect.at, fire));
    }
  }

  private put(from: MemberId, to: MemberId, message: Message): void {
    if (this.cut.has(wordOf(from, to)) || this.cut.has(wordOf(to, from))) return;
    const isPrompt = [from, to].every((id) => id === plan || this.wardens.has(id));
    const key = wordOf(from, to);
    const line = this.lines.get(key) ?? { lastAt: 0, under: new Set() };
    this.lines.set(key, line);
    const delayMs = this.dice.between(0, isPrompt ? promptMostMs : this.lateMostMs);
    line.lastAt = Math.max(line.lastAt, this.timeline.now + delayMs);
    const happening = this.timeline.at(line.lastAt, () => {
      line.under.delete(happening);
      this.deliver(from, to, message);
    });
    line.under.add(happening);
  }

  private deliver(from: MemberId, to: MemberId, message: Message): void {
    if (message.type === 'node.order') return this.obey(from, to, message);
    if (this.wardens.has(to)) return this.hear(to, message, from);
    if (message.type !== 'soles.ask') return;
    const { asked, leaving, gone } = message;
    this.put(to, from, { type: 'soles.told', asked, models: solesOf(leaving, gone), unknown: [] });
  }

  private report(node: MemberId): Said<'node.reported'> {
    return { type: 'node.reported', state: this.drained.has(node) ? 'drained' : 'serving', ...serving };
  }

  private obey(by: MemberId, node: MemberId, { asked, order }: Said<'node.order'>): void {
    if (order === 'undrain') this.drained.delete(node);
    else this.drained.add(node);
    const report = this.report(node);
    for (const router of routers) this.put(node, router, report);
    this.put(node, by, { type: 'node.answered', asked, state: report.state, reason: '' });
  }
}

function wordOf(from: MemberId, to: MemberId): string {
  return `${from} ${to}`;
}
