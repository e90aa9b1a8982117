// Knocks at members that this one does not call, for they are to call it: whether it would be let in there. Whom the other side
// calls in vain, or not at all for want of a key, never hears why. Nothing is said over such a connection.
import { after, type Timer } from '../clock.js';
import type { KeyRing } from '../keys/ring.js';
import { barred, handshakeFault, turnedOf } from './curve.js';
import type { DialOptions } from './dialled.js';
import { type Endpoint, withoutKey } from './endpoint.js';
import { handshakeFaults } from './socket.js';
import type { LinkId } from './transport.js';

/** A handshake that has not come to an end by then says nothing of keys. */
const knockMs = 2000;

export class Knocks {
  private readonly options: Pick<DialOptions, 'keys' | 'newDealer'>;
  private readonly going = new Map<LinkId, () => void>();

  constructor(options: Pick<DialOptions, 'keys' | 'newDealer'>) {
    this.options = options;
  }

  /** What comes of it is told to the ring. */
  begin(link: LinkId, place: Endpoint): void {
    const { keys } = this.options;
    if (keys?.pair === undefined) return;
    const refusal = barred(place, keys);
    if (refusal !== undefined) keys.turnedAway(turnedOf(link, place, refusal));
    else if (!this.going.has(link)) this.knock(link, place, keys);
  }

  end(link: LinkId): void {
    this.going.get(link)?.();
  }

  close(): void {
    for (const end of [...this.going.values()]) end();
  }

  private knock(link: LinkId, place: Endpoint, keys: KeyRing): void {
    const dealer = this.options.newDealer(place);
    let late: Timer | undefined;
    const end = (): void => {
      if (!this.going.delete(link)) return;
      late?.cancel();
      dealer.close();
    };
    this.going.set(link, end);
    late = after(knockMs, end, false);
    dealer.events.on('handshake', () => {
      if (this.going.get(link) === end) keys.letIn(withoutKey(link));
      end();
    });
    for (const fault of handshakeFaults) {
      dealer.events.on(fault, ({ error }) => {
        // One that broke off may be of anybody who goes away.
        if (fault === 'handshake:error:other' || this.going.get(link) !== end) return;
        const { code } = (error ?? {}) as NodeJS.ErrnoException;
        const refusal = handshakeFault(fault, code, true);
        if (refusal !== undefined) keys.turnedAway(turnedOf(link, place, refusal));
        end();
      });
    }
    dealer.connect(withoutKey(link));
  }
}
