// Stewards around one entry in virtual time, with a store that can lose what it acknowledged, answer nobody, or tell only some
// of what it took: whatever is told reaches each of them when the test wants it.
import type { NodeRecord } from '../../cluster/record.js';
import { Steward, type StewardEffect, type StewardFact } from '../../cluster/steward.js';
import type { NodeState } from '../../proto/messages.js';
import { type Epoch, higherEpoch, noEpoch, type Ownership } from '../../proto/ownership.js';

export const patienceMs = 1000;
const spaceMs = 100;

interface Entry {
  readonly text: string;
  readonly revision: number;
}

type Write = Extract<StewardEffect, { type: 'write' }>;

interface Seat {
  readonly steward: Steward;
  /** Whether it hears from the store. */
  isDeaf: boolean;
}

export class Council {
  entry: Entry | undefined;
  revision = 0;
  now = 0;
  standing: 'live' | 'frozen' = 'live';
  readonly seats = new Map<string, Seat>();
  readonly states = new Map<string, NodeState>();
  readonly notes: string[] = [];
  readonly told: { readonly to: string; readonly list: Ownership }[] = [];
  readonly reopened: string[] = [];
  /** In place of what the store does with a write. */
  answers: ((from: string, write: Write, usual: () => StewardFact) => StewardFact | undefined) | undefined;
  models: readonly string[] = ['one:1', 'two:1', 'three:1', 'four:1'];
  /** What members report that have no steward here. */
  reported: Epoch = noEpoch;
  /** Who says so. */
  reporter = 'router';
  /** The router has not seen what the others have. */
  isRouterBlind = false;

  join(...ids: string[]): void {
    for (const id of ids) {
      this.states.set(id, 'serving');
      const steward = new Steward({
        self: id,
        nodes: () => this.nodes(),
        standing: () => this.standing,
        patienceMs,
        spaceMs,
      });
      this.seats.set(id, { steward, isDeaf: false });
    }
    for (const id of ids) this.open(id);
    this.changed();
  }

  go(id: string): void {
    this.states.delete(id);
    this.seats.delete(id);
    this.changed();
  }

  turn(id: string, state: NodeState): void {
    this.states.set(id, state);
    this.changed();
  }

  changed(): void {
    for (const id of this.seats.keys()) this.tell(id, { type: 'members.changed' });
  }

  open(id: string): void {
    this.tell(id, { type: 'store.opened' });
    if (this.entry !== undefined) this.tell(id, { type: 'entry.put', key: 'owners', ...this.entry });
    this.tell(id, { type: 'store.caughtUp' });
  }

  /** All hear what the store holds by now. */
  put(text: string, revision = this.revision + 1): void {
    this.revision = revision;
    this.entry = { text, revision };
    for (const [id, { isDeaf }] of this.seats)
      if (!isDeaf) this.tell(id, { type: 'entry.put', key: 'owners', text, revision });
  }

  /** It was lost, and all look again. */
  lose(): void {
    this.entry = undefined;
    this.revision = 0;
    for (const id of this.seats.keys()) this.open(id);
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 50) {
      this.now += 50;
      for (const id of this.seats.keys()) this.tell(id, { type: 'tick' });
    }
  }

  tell(id: string, fact: StewardFact): void {
    const effects = this.seats.get(id)?.steward.told(fact, this.now) ?? [];
    for (const effect of effects) this.perform(id, effect);
  }

  list(id: string): Ownership {
    return this.seats.get(id)?.steward.list() as Ownership;
  }

  owner(model: string, by = [...this.seats.keys()][0] as string): string | undefined {
    return this.list(by).owners.find(([owned]) => owned === model)?.[1];
  }

  ownersOf(by: string): string[] {
    return this.list(by).owners.map(([, owner]) => owner);
  }

  private nodes(): NodeRecord[] {
    const about = { cluster: 'council', protocol: 1, build: '', machine: '', beat: 1 } as const;
    const usual = { ...about, models: this.models, labels: [], workers: [], jobs: 0 };
    const schedulers = [...this.states].map(([id, state]) => ({
      ...usual,
      member: { id, roles: ['scheduler'], endpoint: '', host: '' } as const,
      state,
      ownersEpoch: this.seats.get(id)?.steward.list().epoch ?? noEpoch,
    }));
    const router = { id: this.reporter, roles: ['router'], endpoint: '', host: '' } as const;
    return [...schedulers, { ...usual, member: router, state: 'serving', ownersEpoch: this.seenByRouter() }];
  }

  private seenByRouter(): Epoch {
    if (this.isRouterBlind) return noEpoch;
    return [...this.seats.values()].reduce(
      (highest, { steward }) => higherEpoch(highest, steward.list().epoch),
      this.reported,
    );
  }

  private perform(id: string, effect: StewardEffect): void {
    if (effect.type === 'note') this.notes.push(`${id}: ${Object.values(effect.note).join(' ')}`);
    else if (effect.type === 'told') this.told.push({ to: id, list: effect.list });
    else if (effect.type === 'reopen') this.reopened.push(id);
    else {
      const usual = (): StewardFact => this.write(effect);
      const answer = this.answers === undefined ? usual() : this.answers(id, effect, usual);
      if (answer !== undefined) this.tell(id, answer);
    }
  }

  private write({ text, expected }: Write): StewardFact {
    if ((this.entry?.revision ?? 0) !== expected) return { type: 'write.refused' };
    this.put(text);
    return { type: 'write.done', revision: this.revision };
  }
}
