// Keeps the one list of who owns which model: every node follows it, and the first of the schedulers that live writes it anew
// when it fits no more. Decisions only: facts and the time come in, what is to be done goes out. What is lower than the
// highest that anybody has seen is never followed, whatever the store says: it may have lost what it had acknowledged.
import type { MemberId } from '../proto/ids.js';
import { limits } from '../proto/limits.js';
import {
  compareEpochs,
  type Epoch,
  epochCountBelieved,
  higherEpoch,
  noEpoch,
  type Owned,
  type Ownership,
  sameOwners,
  unowned,
} from '../proto/ownership.js';
import { assign } from './assign.js';
import type { Standing } from './membership.js';
import { byModel, ownersKey, readOwners, writeOwners } from './ownership.js';
import { rankOf } from './rank.js';
import type { NodeRecord } from './record.js';

export type StewardFact =
  /** A watch of it has begun: what is in it is about to be told. */
  | { readonly type: 'store.opened' }
  | { readonly type: 'store.caughtUp' }
  | { readonly type: 'store.lost' }
  | { readonly type: 'entry.put'; readonly key: string; readonly text: string; readonly revision: number }
  | { readonly type: 'entry.removed'; readonly key: string }
  /** Others joined, went or changed, or this node did. */
  | { readonly type: 'members.changed' }
  | { readonly type: 'write.done'; readonly revision: number }
  /** Somebody was first. */
  | { readonly type: 'write.refused' }
  /** It may have come through all the same. */
  | { readonly type: 'write.failed'; readonly reason: string }
  | { readonly type: 'tick' };

export type StewardEffect =
  /** If it is still at that revision; 0: if there is none. One fact is due of what came of it before the next is wanted. */
  | { readonly type: 'write'; readonly key: string; readonly text: string; readonly expected: number }
  /** The watch is to begin anew. */
  | { readonly type: 'reopen'; readonly reason: string }
  /** For the actors of this node. */
  | { readonly type: 'told'; readonly list: Ownership }
  | { readonly type: 'note'; readonly note: StewardNote };

export type StewardNote =
  | {
      readonly event: 'owners.changed';
      readonly epoch: string;
      readonly moved: number;
      readonly models: number;
    }
  | { readonly event: 'owners.refused'; readonly reason: string }
  | { readonly event: 'owners.unwritten'; readonly reason: string }
  /** The store tells an older list than this node has seen. */
  | { readonly event: 'owners.rewound'; readonly told: string; readonly seen: string }
  /** Two lists of one epoch: never to be. */
  | { readonly event: 'owners.clashed'; readonly epoch: string };

export interface StewardOptions {
  readonly self: MemberId;
  /** All that live, this one among them. */
  readonly nodes: () => readonly NodeRecord[];
  /** Counts up whenever others join, go, or change their state or what they have to serve. Missing: that may be at any time. */
  readonly changes?: () => number;
  readonly standing: () => Standing['state'];
  /** How long whoever comes first is given to write before the next does; and a watch to tell what it should. */
  readonly patienceMs: number;
  /** Writes are no nearer to each other. */
  readonly spaceMs: number;
}

export function epochText([count, by]: Epoch): string {
  return by === '' ? 'none' : `${count} of ${by}`;
}

interface Stored {
  readonly revision: number;
  readonly epoch: Epoch;
}

interface Writing {
  readonly list: Ownership;
  readonly expected: number;
}

export class Steward {
  private readonly options: StewardOptions;
  private kept: Ownership = unowned;
  /** What the store holds; undefined while that is not known. */
  private stored: Stored | undefined;
  private writing: Writing | undefined;
  /** The highest that this node tried to write: what seemed to fail may come yet. */
  private tried = 0;
  private wroteAt = Number.NEGATIVE_INFINITY;
  private reviewedAt = Number.NEGATIVE_INFINITY;
  private unfitSince = Number.POSITIVE_INFINITY;
  private blindSince = Number.POSITIVE_INFINITY;
  private isOpen = false;
  private hasClashed = false;
  /** By what the kept list was found to fit. */
  private fitting = '';
  private unsure = 0;
  private complaint = '';
  /** Lists that had the epoch of another: never to be. */
  clashes = 0;

  constructor(options: StewardOptions) {
    this.options = options;
  }

  /** The highest list that it has seen. */
  list(): Ownership {
    return this.kept;
  }

  told(fact: StewardFact, now: number): StewardEffect[] {
    const effects = this.heard(fact);
    // When many join at once the next tick is soon enough.
    if (fact.type === 'members.changed' && now - this.reviewedAt < this.options.spaceMs) return effects;
    this.reviewedAt = now;
    return [...effects, ...this.review(now)];
  }

  private heard(fact: StewardFact): StewardEffect[] {
    switch (fact.type) {
      case 'store.opened':
        this.isOpen = true;
        this.stored = undefined;
        return [];
      case 'store.caughtUp':
        this.stored ??= { revision: 0, epoch: noEpoch };
        return [];
      case 'store.lost':
        this.isOpen = false;
        this.stored = undefined;
        this.blindSince = Number.POSITIVE_INFINITY;
        return [];
      case 'entry.put':
        return fact.key === ownersKey ? this.put(fact.text, fact.revision) : [];
      case 'entry.removed':
        if (fact.key === ownersKey) this.stored = { revision: 0, epoch: noEpoch };
        return [];
      case 'write.done':
        return this.written(fact.revision);
      case 'write.refused':
        // Whoever was first has told the watch, or will.
        if (this.writing !== undefined && this.stored?.revision === this.writing.expected)
          this.stored = undefined;
        this.writing = undefined;
        return [];
      case 'write.failed':
        return this.failed(fact.reason);
      case 'members.changed':
      case 'tick':
        return [];
    }
  }

  private put(text: string, revision: number): StewardEffect[] {
    const list = readOwners(text);
    if (typeof list === 'string') {
      this.stored = { revision, epoch: noEpoch };
      return this.complain({ event: 'owners.refused', reason: list });
    }
    this.stored = { revision, epoch: list.epoch };
    return this.follow(list);
  }

  private follow(list: Ownership): StewardEffect[] {
    const highest = this.highest();
    const order = compareEpochs(list.epoch, this.kept.epoch);
    if (order === 0) {
      if (sameOwners(list.owners, this.kept.owners)) return [];
      this.clashes++;
      this.hasClashed = true;
      // Those who go by lists are told, for they say as well that this is never to be.
      const epoch = epochText(list.epoch);
      return [{ type: 'told', list }, note({ event: 'owners.clashed', epoch })];
    }
    if (order < 0 || compareEpochs(list.epoch, highest) < 0) {
      const [told, seen] = [epochText(list.epoch), epochText(highest)];
      return this.complain({ event: 'owners.rewound', told, seen });
    }
    return this.adopt(list);
  }

  private adopt(list: Ownership): StewardEffect[] {
    const before = new Map(this.kept.owners.map(([model, owner]) => [model, owner]));
    const moved = list.owners.filter(([model, owner]) => before.get(model) !== owner).length;
    this.kept = list;
    this.hasClashed = false;
    this.complaint = '';
    const said = { epoch: epochText(list.epoch), moved, models: list.owners.length };
    return [{ type: 'told', list }, note({ event: 'owners.changed', ...said })];
  }

  private written(revision: number): StewardEffect[] {
    if (this.writing === undefined) return [];
    const { list, expected } = this.writing;
    this.writing = undefined;
    // The watch may have been sooner, and told of what came after it as well.
    if (this.stored?.revision === expected) this.stored = { revision, epoch: list.epoch };
    return compareEpochs(list.epoch, this.kept.epoch) > 0 ? this.adopt(list) : [];
  }

  private failed(reason: string): StewardEffect[] {
    this.writing = undefined;
    return this.complain({ event: 'owners.unwritten', reason });
  }

  /** Once, until something good has been heard. */
  private complain(said: StewardNote): StewardEffect[] {
    const complaint = JSON.stringify(said);
    if (complaint === this.complaint) return [];
    this.complaint = complaint;
    return [note(said)];
  }

  private highest(): Epoch {
    return this.options
      .nodes()
      .reduce((highest, node) => higherEpoch(highest, seenBy(node)), this.kept.epoch);
  }

  private review(now: number): StewardEffect[] {
    const { standing, spaceMs } = this.options;
    if (!this.isOpen) return [];
    const reopening = this.lookAgain(now);
    if (standing() !== 'live' || this.stored === undefined || this.writing !== undefined) return reopening;
    const list = this.due();
    if (list === undefined) {
      this.unfitSince = Number.POSITIVE_INFINITY;
      return reopening;
    }
    this.unfitSince = Math.min(this.unfitSince, now);
    if (now - this.unfitSince < this.waitMs() || now - this.wroteAt < spaceMs) return reopening;
    this.wroteAt = now;
    this.unfitSince = Number.POSITIVE_INFINITY;
    this.tried = list.epoch[0];
    const expected = this.stored.revision;
    this.writing = { list, expected };
    return [...reopening, { type: 'write', key: ownersKey, text: writeOwners(list), expected }];
  }

  /** The watch begins anew where it may not tell what there is. */
  private lookAgain(now: number): StewardEffect[] {
    const reason = this.doubt();
    if (reason === '') {
      this.blindSince = Number.POSITIVE_INFINITY;
      return [];
    }
    this.blindSince = Math.min(this.blindSince, now);
    if (now - this.blindSince <= this.options.patienceMs) return [];
    this.blindSince = now;
    return [{ type: 'reopen', reason }];
  }

  /** Why the store may hold something else than this node believes; empty when nothing says so. */
  private doubt(): string {
    if (this.stored === undefined || compareEpochs(this.kept.epoch, this.highest()) < 0)
      return 'others have seen a later list of owners than NATS tells this node';
    // What it acknowledged may be lost without a word: who comes later does not find it.
    const isBehind = (node: NodeRecord): boolean =>
      followsLists(node) && compareEpochs(node.ownersEpoch ?? noEpoch, this.kept.epoch) < 0;
    if (this.waitMs() > 0 || !this.options.nodes().some(isBehind)) return '';
    return 'others do not see the list of owners that NATS took from this node or told it';
  }

  /** What the store should hold; undefined where that fits, or where it is not this node's to say. */
  private due(): Ownership | undefined {
    if (this.waitMs() === Number.POSITIVE_INFINITY) return undefined;
    const highest = this.highest();
    const isTold = this.stored !== undefined && compareEpochs(this.stored.epoch, highest) === 0;
    const past = this.past();
    if (isTold && !this.hasClashed && past === this.fitting) return undefined;
    const eligible = schedulersOf(this.options.nodes()).filter(({ state }) => state === 'serving');
    if (eligible.length === 0) return undefined;
    const models = this.offered();
    if (models.length === 0 && compareEpochs(highest, noEpoch) === 0) return undefined;
    const before = new Map(this.kept.owners.map((owned) => [owned[0], owned]));
    const ids = eligible.map(({ member }) => member.id);
    const owners = assign(models, ids, (model) => before.get(model)?.[1]);
    if (isTold && !this.hasClashed && models.every((model) => before.get(model)?.[1] === owners.get(model))) {
      this.fitting = past;
      return undefined;
    }
    const isBehind = compareEpochs(this.kept.epoch, highest) < 0;
    const epoch: Epoch = [Math.max(highest[0], this.tried) + 1, this.options.self];
    const renewed = [...owners].map(([model, owner]): Owned => {
      const old = before.get(model);
      // Without the list that others have seen nobody can say who has had it since then.
      return old?.[1] === owner && !isBehind ? old : [model, owner, epoch];
    });
    return { epoch, owners: renewed.sort(byModel) };
  }

  /** All that the owners are found by: while it stays the same, so do they. Of a thousand nodes that is quickly asked. */
  private past(): string {
    const { changes, nodes, self } = this.options;
    if (changes === undefined) return `${++this.unsure}`;
    const own = nodes().find(({ member }) => member.id === self);
    return `${changes()} ${own?.state} ${own?.models} ${epochText(this.kept.epoch)}`;
  }

  /** What the nodes have to serve; of very many the first. */
  private offered(): string[] {
    const models = new Set<string>();
    for (const node of this.options.nodes()) for (const model of node.models) models.add(model);
    return [...models].sort().slice(0, limits.modelsOwnedMax);
  }

  /** The first by id writes at once, the next when that has not done it, and who is about to go last of all. */
  private waitMs(): number {
    const order = schedulersOf(this.options.nodes());
    const rank = order.findIndex(({ member }) => member.id === this.options.self);
    return rank < 0 ? Number.POSITIVE_INFINITY : rank * this.options.patienceMs;
  }
}

function schedulersOf(nodes: readonly NodeRecord[]): NodeRecord[] {
  const rankOf = ({ state }: NodeRecord): number => (state === 'serving' ? 0 : 1);
  return nodes
    .filter(({ member, state }) => member.roles.includes('scheduler') && state !== 'starting')
    .sort((one, other) => rankOf(one) - rankOf(other) || (one.member.id < other.member.id ? -1 : 1));
}

/** Workers go by what schedulers tell them: their word of lists is nobody's, and more may give it. */
function followsLists({ member }: NodeRecord): boolean {
  return rankOf(member.id) !== 'worker';
}

/** The highest list that it says it has seen, where that is to be believed. */
function seenBy(node: NodeRecord): Epoch {
  const { ownersEpoch = noEpoch } = node;
  return followsLists(node) && ownersEpoch[0] < epochCountBelieved ? ownersEpoch : noEpoch;
}

function note(said: StewardNote): StewardEffect {
  return { type: 'note', note: said };
}
