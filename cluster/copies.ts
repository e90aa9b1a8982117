// Buckets that were made while servers were missing have fewer copies than are wanted: which ones may lack some still, and
// when to try again to add them. Whoever may not do that says so once, and leaves it to those who may.

/** `full`: it has as many as are wanted. Rejects while servers are missing. */
export type Adding = 'full' | { readonly refused: string };

const beatsPerTry = 2;

export class Copies {
  private readonly add: (stream: string) => Promise<Adding>;
  private readonly tell: (reason: string) => void;
  private readonly lacking = new Set<string>();
  private readonly refused = new Set<string>();
  private beats = 0;

  constructor(add: (stream: string) => Promise<Adding>, tell: (reason: string) => void) {
    this.add = add;
    this.tell = tell;
  }

  /** It may be another one than before, made anew. */
  opened(stream: string): void {
    if (this.refused.has(stream)) return;
    this.lacking.add(stream);
    void this.try(stream);
  }

  /** Servers may have come back meanwhile. */
  beat(): void {
    if (this.lacking.size === 0 || ++this.beats % beatsPerTry !== 0) return;
    for (const stream of this.lacking) void this.try(stream);
  }

  private async try(stream: string): Promise<void> {
    const added = await this.add(stream).catch(() => undefined);
    if (added === undefined || !this.lacking.delete(stream) || added === 'full') return;
    this.refused.add(stream);
    this.tell(`${stream} lacks copies, to be added by those who may: ${added.refused}`);
  }
}
