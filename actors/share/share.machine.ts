// The condition of one model on one worker. One that is not wanted any more runs what still comes until the schedulers let
// it go, so that nothing that was taken for it is left behind.
import { createMachine } from '../chart.js';

export const shareMachine = createMachine({
  id: 'share',
  initial: 'absent',
  states: {
    absent: { on: { load: 'loading' } },
    /** Reading the file, then warm runs; the executor does both in one go. */
    loading: { on: { load: 'loading', ready: 'ready', fail: 'failed', retire: 'leaving' } },
    ready: { tags: ['ready', 'routable'], on: { load: 'loading', fail: 'failed', retire: 'retiring' } },
    failed: { on: { load: 'loading', retire: 'unloaded' } },
    /** Its loading was begun and can't be stopped; nobody waits for it. */
    leaving: { on: { ready: 'unloaded', fail: 'unloaded', retire: 'leaving' } },
    /** Schedulers have been told: they send the last, and say when that was it. */
    retiring: {
      tags: ['ready', 'routable'],
      on: { retire: 'retiring', dismiss: 'emptying' },
    },
    /** Nothing more comes; what has come is still run. */
    emptying: { on: { retire: 'emptying', empty: 'unloaded' } },
    unloaded: { type: 'final' },
  },
});
