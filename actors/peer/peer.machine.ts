// How far health trusts one member that it watches.
import { createMachine } from '../chart.js';

export const peerMachine = createMachine({
  id: 'peer',
  initial: 'awaited',
  states: {
    /** Its link is open, its first beat has not come. */
    awaited: { on: { beat: 'trusted', doubt: 'suspect', lose: 'gone' } },
    trusted: { tags: ['routable'], on: { beat: 'trusted', doubt: 'suspect', lose: 'gone' } },
    /** Gets no new work; what it has may still come back. */
    suspect: { on: { beat: 'trusted', doubt: 'suspect', condemn: 'down', lose: 'gone' } },
    /** What it had is run elsewhere, its epoch is over. */
    down: { on: { beat: 'trusted', doubt: 'down', condemn: 'down', lose: 'gone' } },
    gone: { on: { open: 'awaited', lose: 'gone' } },
  },
});
