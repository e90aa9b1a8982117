// How a worker is with each of its models. How many of them are at rest is counted along: that is asked again and again, and
// a worker may have thousands.
import type { Place, Said } from '../../proto/messages.js';

export interface Share {
  readonly state: Said<'share.changed'>['state'];
  readonly place: Place;
  readonly rowsMax: number;
  readonly reason: string;
  readonly runsOn: string;
}

/** One that retires still runs what comes. */
export function isServing({ state }: Share): boolean {
  return state === 'ready' || state === 'retiring';
}

/** Not in memory: it is loaded when it is asked for. One that yields is about to be. */
export function isAtRest({ state }: Share): boolean {
  return state === 'resting' || state === 'fading' || state === 'yielding';
}

export class Shares extends Map<string, Share> {
  private atRest = 0;
  private yielding = 0;

  get hasRest(): boolean {
    return this.atRest > 0;
  }

  get hasYielding(): boolean {
    return this.yielding > 0;
  }

  override set(key: string, share: Share): this {
    this.count(this.get(key), -1);
    this.count(share, 1);
    return super.set(key, share);
  }

  override delete(key: string): boolean {
    this.count(this.get(key), -1);
    return super.delete(key);
  }

  private count(share: Share | undefined, by: 1 | -1): void {
    if (share === undefined || !isAtRest(share)) return;
    this.atRest += by;
    if (share.state === 'yielding') this.yielding += by;
  }
}
