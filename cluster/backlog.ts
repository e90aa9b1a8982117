// What the store had when a node started, is to come here, and has not come yet: first of all what is on the disk. Until it has
// come, or could not be had, the node can't answer for all that its cluster shares.
import type { Held } from './held.js';
import { type Manifest, manifestKey } from './manifest.js';

export class Backlog {
  private readonly awaited = new Set<Held>();
  private readonly onDisk = new Set<Held>();
  private digests: ReadonlyMap<string, string> = new Map();
  private phase: 'before' | 'gathering' | 'gathered' = 'before';

  /** The store has told what it has, and that of it is complete on the disk. */
  begin(complete: readonly Manifest[]): void {
    this.digests = new Map(complete.map((manifest) => [keyOf(manifest), manifest.digest]));
    this.phase = 'gathering';
  }

  /** It is known of everything that is there whether it is to come here. */
  gathered(): void {
    if (this.phase === 'gathering') this.phase = 'gathered';
  }

  get isGathering(): boolean {
    return this.phase === 'gathering';
  }

  /** It is to come. */
  meet(held: Held): void {
    if (this.phase !== 'gathering') return;
    if (this.digests.get(keyOf(held.manifest)) === held.manifest.digest) this.onDisk.add(held);
    else this.awaited.add(held);
  }

  awaits(held: Held): boolean {
    return this.awaited.has(held);
  }

  /** In the place of what was awaited. */
  await(held: Held): void {
    this.awaited.add(held);
  }

  /** What is on the disk and was not offered yet. */
  atHand(): Iterable<Held> {
    return this.onDisk;
  }

  /** It was not on the disk after all, or not in order: it is fetched, as others are. */
  missed(held: Held): void {
    if (this.onDisk.delete(held)) this.awaited.add(held);
  }

  drop(held: Held): void {
    this.awaited.delete(held);
    this.onDisk.delete(held);
  }

  /** What is on the disk is offered. */
  get isOffered(): boolean {
    return this.phase === 'gathered' && this.onDisk.size === 0;
  }

  /** For people; empty when nothing is missing. */
  reason(): string {
    if (this.phase === 'before') return 'the node does not know yet which models its cluster shares';
    if (this.phase === 'gathering')
      return 'the node does not see yet which other nodes there are, and so not which models it is to have';
    const names = [...this.awaited, ...this.onDisk].map(({ manifest: { model, version }, state, reason }) =>
      state === 'failed' ? `${model}:${version} (${reason})` : `${model}:${version}`,
    );
    return names.length === 0 ? '' : `the node still fetches ${names.join(', ')}`;
  }
}

function keyOf({ model, version }: Manifest): string {
  return manifestKey(model, version);
}
