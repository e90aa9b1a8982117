// What this node serves of its repository, while that changes: a version that is new or whose files have changed comes
// beside what serves, takes over once workers have it ready, and never where none could load it.
import { isUnavailable, type ModelCondition } from '../../actors/router/coverage.js';
import { modelKey } from '../../proto/ids.js';
import { editionOf, type ModelEntry, needsWorker } from '../models/entry.js';
import { pickedFrom, withPicked } from '../models/picked.js';

type ConditionOf = (name: string, edition: string) => ModelCondition;

export class Catalogue {
  /** What doors find, by name and version. */
  private readonly served = new Map<string, ModelEntry>();
  /** Editions that workers load, to take over. */
  private readonly coming = new Map<string, ModelEntry>();
  /** Why the files as they are now are not served, though what was loaded before is. */
  private readonly amiss = new Map<string, string>();
  /** Versions that go when those have taken over that came with the same change. */
  private readonly outgoing = new Map<string, readonly ModelEntry[]>();
  /** Models of whose latest change something could not be loaded. */
  private readonly failed = new Set<string>();
  private readonly unloaded = new Set<string>();
  /** Editions that requests under way still ask, and how many. */
  private readonly held = new Map<ModelEntry, number>();
  /** Editions that were taken away: as long as workers have one yet, they are about to unload it. */
  private readonly leaving = new Map<string, ModelEntry>();
  private readonly first = new Map<string, string>();
  /** Workers of other nodes have it, those of this one are not to. */
  isElsewhere: (entry: ModelEntry) => boolean = () => false;
  /** Editions that workers of this node are to have until they have what took their place at once. */
  former: () => readonly ModelEntry[] = () => [];
  /** Workers of this node have yet to show that they can load it, for routers wait for that. */
  isToCome: (entry: ModelEntry) => boolean = () => false;
  private newest = new Map<string, ModelEntry>();
  private all: readonly ModelEntry[] = [];

  constructor(models: readonly ModelEntry[]) {
    for (const entry of models) this.served.set(keyOf(entry), this.named(entry));
    this.refresh();
  }

  get models(): readonly ModelEntry[] {
    return this.all;
  }

  /** Without a version: the highest that can be asked. */
  find(name: string, version: string): ModelEntry | undefined {
    if (version === '') return this.newest.get(name);
    const key = modelKey(name, version);
    return this.served.get(key) ?? this.coming.get(key);
  }

  /** What routers go by. */
  listed(): ModelEntry[] {
    return this.current().flatMap(withPicked);
  }

  /** What this node has to offer, each version once, whatever editions and variants there are of it. */
  available(): string[] {
    const available = this.current().filter(({ state }) => state === 'available');
    return [...new Set(available.map(keyOf))];
  }

  /** Whether who asks for the model may get that edition. */
  serves(name: string, edition: string): boolean {
    return this.current().some(
      (entry) => entry.name === name && entry.state === 'available' && editionOf(entry) === edition,
    );
  }

  private current(): ModelEntry[] {
    const lingering = this.lingering();
    const isOpen = (entry: ModelEntry): boolean =>
      !this.coming.has(keyOf(entry)) && !lingering.some((other) => isSameEdition(other, entry));
    const served = [...this.served.values()].filter((entry) => entry.state === 'available' || isOpen(entry));
    return [...served, ...lingering];
  }

  /** What workers are to have. */
  wanted(): ModelEntry[] {
    const current = this.current();
    const former = this.former().filter(
      (entry) => !this.isUnloaded(entry.name) && !current.some((other) => isSameEdition(other, entry)),
    );
    const coming = [...this.coming.values(), ...current.filter(this.isToCome)];
    const entries = [
      ...former,
      ...current.filter((entry) => !this.isToCome(entry)),
      ...coming.map((entry) => ({ ...entry, isComing: true })),
    ];
    const here = entries.filter((entry) => entry.state === 'available' && !this.isElsewhere(entry));
    return here.flatMap(withPicked);
  }

  hold(entry: ModelEntry): void {
    this.held.set(entry, (this.held.get(entry) ?? 0) + 1);
  }

  /** True when nobody asks it any more and it serves no more. */
  release(entry: ModelEntry): boolean {
    const left = (this.held.get(entry) ?? 0) - 1;
    if (left > 0) this.held.set(entry, left);
    else this.held.delete(entry);
    return left <= 0 && !this.isListed(entry);
  }

  /** Those that serve no more and are still asked. */
  private lingering(): ModelEntry[] {
    const held = [...this.held.keys()].filter((entry) => !this.isListed(entry));
    // The same edition may have been found more than once.
    return [...new Map(held.map((entry) => [idOf(entry), entry])).values()];
  }

  private isListed(entry: ModelEntry): boolean {
    const key = keyOf(entry);
    const same = (other: ModelEntry | undefined): boolean =>
      other?.state === 'available' && isSameEdition(other, entry);
    return same(this.served.get(key)) || same(this.coming.get(key));
  }

  isUnloaded(name: string): boolean {
    return this.unloaded.has(name);
  }

  isComing(name: string): boolean {
    return [...this.coming.values()].some((entry) => entry.name === name);
  }

  /** Workers load it, and nothing of this version serves meanwhile. */
  isFirst(name: string, version: string): boolean {
    const key = modelKey(name, version);
    return this.coming.has(key) && this.served.get(key)?.state !== 'available';
  }

  /** What is amiss with the files of a version that serves as it was before; empty: nothing. */
  amissWith(name: string, version: string): string {
    return this.amiss.get(modelKey(name, version)) ?? '';
  }

  /** Takes what was found of one model. With `atOnce` nothing waits for workers: other nodes decide what is asked. */
  take(name: string, found: readonly ModelEntry[], atOnce = false): void {
    const returns = this.unloaded.delete(name);
    const outgoing: ModelEntry[] = [];
    for (const fresh of found) {
      const entry = this.named(fresh);
      const key = keyOf(entry);
      const current = this.served.get(key);
      const serves = current?.state === 'available' && !returns;
      this.amiss.delete(key);
      this.coming.delete(key);
      if (serves && editionOf(current) === editionOf(entry) && entry.state === 'available')
        // The same content may lie in other files by now.
        this.served.set(key, current.stamp === entry.stamp ? current : entry);
      else if (entry.state === 'available' && needsWorker(entry) && !atOnce) this.coming.set(key, entry);
      else if (serves && entry.state === 'unavailable') this.amiss.set(key, entry.reason);
      else if (serves && entry.state === 'unchosen') outgoing.push(entry);
      else this.served.set(key, entry);
    }
    const isFound = (entry: ModelEntry): boolean => found.some(({ version }) => version === entry.version);
    for (const current of this.ofModel(name))
      if (!isFound(current)) outgoing.push({ ...current, state: 'unavailable', reason: gone });
    for (const entry of this.coming.values())
      if (entry.name === name && !isFound(entry)) this.leaveComing(entry);
    this.outgoing.set(name, outgoing);
    this.failed.delete(name);
    if (found.length > 0 && found.every((entry) => entry.state !== 'available')) this.failed.add(name);
    this.settle(name);
    this.refresh();
  }

  /** It can't be served, which was found only after it had been taken; false where another has taken over meanwhile. */
  fail(entry: ModelEntry, reason: string): boolean {
    const key = keyOf(entry);
    const current = this.served.get(key);
    if (current?.state !== 'available' || editionOf(current) !== editionOf(entry)) return false;
    this.served.set(key, { ...current, state: 'unavailable', reason });
    this.refresh();
    return true;
  }

  unload(name: string): void {
    this.unloaded.add(name);
    for (const entry of this.coming.values()) if (entry.name === name) this.leaveComing(entry);
    this.outgoing.delete(name);
    for (const entry of this.ofModel(name)) {
      if (entry.state !== 'available') continue;
      this.leaving.set(idOf(entry), entry);
      this.served.set(keyOf(entry), { ...entry, state: 'unloaded', reason: unloadedReason });
    }
    this.refresh();
  }

  /** What no worker has in memory and whose files are amiss can't be served as it was before. */
  giveUp(name: string, isAway: (edition: string) => boolean): void {
    for (const entry of this.ofModel(name)) {
      const reason = this.amissWith(name, entry.version);
      if (reason === '' || entry.state !== 'available' || !isAway(editionOf(entry))) continue;
      this.amiss.delete(keyOf(entry));
      this.served.set(keyOf(entry), { ...entry, state: 'unavailable', reason });
    }
    this.refresh();
  }

  /** Goes by what schedulers report: true when something took over, or will not. */
  review(conditionOf: ConditionOf, isPatient: (name: string) => boolean): boolean {
    let changed = false;
    for (const [id, entry] of this.leaving)
      if (conditionOf(entry.name, editionOf(entry)).ready === 0) this.leaving.delete(id);
    for (const [key, entry] of this.coming) {
      const condition = conditionWithPicked(entry, conditionOf);
      const isSettled = condition.loading === 0 && !this.isLeaving(entry);
      const isReady = condition.ready > 0 && (isSettled || !isPatient(entry.name));
      if (!isReady && !isUnavailable(condition)) continue;
      changed = true;
      this.coming.delete(key);
      this.leaving.delete(idOf(entry));
      if (!isReady) this.failed.add(entry.name);
      if (isReady) this.served.set(key, entry);
      else if (this.served.get(key)?.state === 'available') this.amiss.set(key, condition.reason);
      else this.served.set(key, { ...entry, state: 'unavailable', reason: condition.reason });
      this.settle(entry.name);
    }
    this.refresh(conditionOf);
    return changed;
  }

  /** Where none is to come any more, what was to go with that goes; where one could not be loaded nothing does. */
  private settle(name: string): void {
    const outgoing = this.outgoing.get(name);
    if (outgoing === undefined || this.isComing(name)) return;
    this.outgoing.delete(name);
    if (this.failed.has(name)) return;
    for (const entry of outgoing) {
      if (entry.reason !== gone) this.served.set(keyOf(entry), entry);
      else {
        this.served.delete(keyOf(entry));
        this.leaving.set(idOf(entry), entry);
      }
    }
  }

  private leaveComing(entry: ModelEntry): void {
    this.coming.delete(keyOf(entry));
    this.leaving.set(idOf(entry), entry);
  }

  /** Workers that have it will not have it for long. What requests under way still ask stays with them. */
  private isLeaving(entry: ModelEntry): boolean {
    return this.leaving.has(idOf(entry)) && ![...this.held.keys()].some((held) => isSameEdition(held, entry));
  }

  private ofModel(name: string): ModelEntry[] {
    return [...this.served.values()].filter((entry) => entry.name === name);
  }

  /** The first stamp that a version had needs no telling apart. What is named by its content is it once and for all. */
  private named(entry: ModelEntry): ModelEntry {
    const { stamp = '', content } = entry;
    const key = keyOf(entry);
    if (stamp === '' || content !== undefined) return entry;
    const first = this.first.get(key) ?? stamp;
    this.first.set(key, first);
    return first === stamp ? entry : { ...entry, edition: `${entry.version}+${stamp}` };
  }

  /** The highest that can be served answers for all: of those, one that no worker could load is the last resort. */
  private refresh(conditionOf?: ConditionOf): void {
    const shown = [...this.served.values()];
    for (const entry of this.coming.values()) if (!this.served.has(keyOf(entry))) shown.push(entry);
    shown.sort((a, b) =>
      a.name === b.name ? Number(a.version) - Number(b.version) : a.name < b.name ? -1 : 1,
    );
    const newest = new Map<string, ModelEntry>();
    for (const entry of shown) {
      if (this.coming.get(keyOf(entry)) === entry) continue;
      const other = newest.get(entry.name);
      if (other === undefined || rankOf(entry, conditionOf) >= rankOf(other, conditionOf))
        newest.set(entry.name, entry);
    }
    this.newest = newest;
    this.all = shown;
  }
}

const gone = 'its folder is gone';
const unloadedReason = 'it was unloaded on request; load it again to use it';

function rankOf(entry: ModelEntry, conditionOf: ConditionOf | undefined): number {
  if (entry.state !== 'available') return 0;
  return conditionOf !== undefined && isUnavailable(conditionOf(entry.name, editionOf(entry))) ? 1 : 2;
}

/** Of an edition and its variants for requests that of the one that has come least far. */
function conditionWithPicked(entry: ModelEntry, conditionOf: ConditionOf): ModelCondition {
  const own = conditionOf(entry.name, editionOf(entry));
  for (const picked of isUnavailable(own) ? [] : pickedFrom(entry)) {
    const condition = conditionOf(picked.name, editionOf(picked));
    if (isUnavailable(condition))
      return { ...condition, reason: `variant ${picked.variant}: ${condition.reason}` };
    if (condition.ready + condition.resting === 0 || condition.loading > 0) return condition;
  }
  return own;
}

function isSameEdition(one: ModelEntry, other: ModelEntry): boolean {
  return idOf(one) === idOf(other);
}

function idOf(entry: ModelEntry): string {
  return modelKey(entry.name, editionOf(entry));
}

function keyOf({ name, version }: ModelEntry): string {
  return modelKey(name, version);
}
