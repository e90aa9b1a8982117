// How a node starts and stops: numbered stages, the stop in the opposite order. A stage that fails goes back the way the
// start has come. While it serves it can be drained without ending: it vacates, is vacant, and returns.
import { createMachine } from '../chart.js';

export const nodeMachine = createMachine({
  id: 'node',
  initial: 'reading',
  states: {
    /** 1: the model repository. */
    reading: { on: { done: 'binding', fail: 'stopped' } },
    /** 2: the post, so that members can reach it. */
    binding: { on: { done: 'deciding', fail: 'unbinding' } },
    /** 3: the actors. */
    deciding: { on: { done: 'staffing', fail: 'unbinding' } },
    /** 4: the worker processes. */
    staffing: { on: { done: 'opening', fail: 'dismissing' } },
    /** 5: the doors. */
    opening: { on: { done: 'serving', fail: 'closing' } },
    serving: { tags: ['serving'], on: { vacate: 'vacating', stop: 'draining' } },
    /** It takes no work and finishes what it has. */
    vacating: { tags: ['serving'], on: { empty: 'vacant', return: 'serving', stop: 'draining' } },
    vacant: { tags: ['serving'], on: { return: 'serving', stop: 'draining' } },
    /** Nothing new is taken; what was taken comes to its end. */
    draining: { tags: ['draining'], on: { done: 'closing' } },
    /** 5 back. */
    closing: { tags: ['draining'], on: { done: 'dismissing' } },
    /** 4 back. */
    dismissing: { tags: ['draining'], on: { done: 'unbinding' } },
    /** 3 and 2 back. */
    unbinding: { tags: ['draining'], on: { done: 'stopped' } },
    stopped: { type: 'final' },
  },
});
