// How far a worker is with each model, by its own words: what it has counts until it is listed no more, for the worker lets it
// go then; and what is listed again meanwhile counts once the worker has let it go and loaded it anew.

type State =
  /** It is in its memory, to be used. */
  | 'loaded'
  /** It could not be loaded. */
  | 'failed'
  /** It was listed no more, and is, or may be, in its memory yet. */
  | 'leaving';

/** A worker's answer to a list of models: what it has of them, and what it still lets go of lists before. */
export interface Listed {
  /** Lists that it has been told until then. */
  readonly count: number;
  readonly has: readonly string[];
  readonly leaving: readonly string[];
}

export type Standing =
  | { readonly state: 'untried' }
  | { readonly state: State /** Why it failed; else empty. */; readonly reason: string };

const untried: Standing = { state: 'untried' };
const loaded: Standing = { state: 'loaded', reason: '' };
const leaving: Standing = { state: 'leaving', reason: '' };
/** With each change of its files a model has another name: the oldest are no matter. */
const keptMax = 4096;

export class Outcomes {
  private readonly standings = new Map<string, Standing>();
  private listed: ReadonlySet<string> = new Set();
  private lists = 0;
  private heardOf = 0;

  /** It is told what it is to have. What it was to have before it may be loading just now: it leaves too. */
  list(wanted: ReadonlySet<string>): void {
    this.lists++;
    const gone = new Set([...this.listed, ...this.standings.keys()].filter((key) => !wanted.has(key)));
    this.listed = wanted;
    for (const key of gone) {
      // What could not be loaded may be tried again when it is wanted again.
      if (this.of(key).state === 'failed') this.standings.delete(key);
      else this.put(key, leaving);
    }
  }

  /** It has heard a list. Of what went before the last one it will say more. */
  heard({ count, has, leaving: left }: Listed): void {
    this.heardOf = count;
    if (!this.isUpToDate) return;
    const going = new Set(left);
    for (const [key, { state }] of this.standings)
      if (state === 'leaving' && !going.has(key)) this.standings.delete(key);
    for (const key of going) this.put(key, leaving);
    for (const key of has) this.put(key, loaded);
  }

  /** It has heard all lists. */
  get isUpToDate(): boolean {
    return this.heardOf === this.lists;
  }

  /** Its loading is over; without a reason it has it. Who leaves has nothing left to let go where that failed. */
  ended(key: string, reason: string): void {
    const isLeaving = this.of(key).state === 'leaving';
    if (!isLeaving) this.put(key, reason === '' ? loaded : { state: 'failed', reason });
    else if (reason !== '') this.standings.delete(key);
  }

  /** It is in its memory no more. */
  left(key: string): void {
    if (this.of(key).state !== 'failed') this.standings.delete(key);
  }

  of(key: string): Standing {
    return this.standings.get(key) ?? untried;
  }

  private put(key: string, standing: Standing): void {
    if (!this.standings.has(key) && this.standings.size >= keptMax)
      this.standings.delete(this.standings.keys().next().value ?? '');
    this.standings.set(key, standing);
  }
}

/** Of several workers: as well as the one that is best off with it. */
export function bestOf(standings: readonly Standing[]): Standing {
  for (const wanted of ['loaded', 'leaving', 'failed'] as const) {
    const found = standings.find(({ state }) => state === wanted);
    if (found !== undefined) return found;
  }
  return untried;
}
