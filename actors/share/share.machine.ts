// The condition of one model on one worker. One that is not wanted any more runs what still comes until the schedulers let
// it go, so that nothing that was taken for it is left behind; one that only makes room for others comes back when asked.
import { createMachine } from '../chart.js';

export const shareMachine = createMachine({
  id: 'share',
  initial: 'absent',
  states: {
    absent: { on: { load: 'loading', rest: 'resting' } },
    /** Not in memory: it is loaded when it is asked for. */
    resting: { on: { load: 'loading', rest: 'resting', retire: 'fading' } },
    /** Reading the file, then warm runs; the executor does both in one go. */
    loading: {
      tags: ['held'],
      on: { load: 'loading', ready: 'ready', fail: 'failed', rest: 'resting', retire: 'leaving' },
    },
    ready: {
      tags: ['ready', 'routable', 'held'],
      on: { load: 'loading', fail: 'failed', retire: 'retiring', yield: 'yielding' },
    },
    failed: { on: { load: 'loading', retire: 'unloaded' } },
    /** Others need its memory: schedulers have been told, send nothing more, and say when nothing is on its way. */
    yielding: {
      tags: ['ready', 'routable', 'held', 'dismissible'],
      on: { yield: 'yielding', retire: 'yielding', dismiss: 'clearing' },
    },
    /** Nothing more comes; what has come is still run. */
    clearing: { tags: ['held'], on: { retire: 'clearing', empty: 'resting' } },
    /** Its loading was begun and can't be stopped; nobody waits for it. */
    leaving: {
      tags: ['held', 'going'],
      on: { ready: 'unloaded', fail: 'unloaded', retire: 'leaving' },
    },
    /** Not in memory and not wanted any more, but somebody may still wait for it. */
    fading: {
      tags: ['dismissible'],
      on: { rest: 'resting', retire: 'fading', load: 'recalled', dismiss: 'unloaded' },
    },
    /** Loaded once more for those who wait for it. */
    recalled: {
      tags: ['held', 'going'],
      on: { retire: 'recalled', ready: 'retiring', fail: 'unloaded', rest: 'fading' },
    },
    /** Schedulers have been told: they send the last, and say when that was it. Until then it may stay after all. */
    retiring: {
      tags: ['ready', 'routable', 'held', 'going', 'dismissible'],
      on: { retire: 'retiring', dismiss: 'emptying', stay: 'ready' },
    },
    /** Nothing more comes; what has come is still run. */
    emptying: { tags: ['held', 'going'], on: { retire: 'emptying', empty: 'unloaded' } },
    unloaded: { type: 'final', tags: ['going'] },
  },
});
