// The condition of one model on one worker.
import { createMachine } from '../chart.js';

export const shareMachine = createMachine({
  id: 'share',
  initial: 'absent',
  states: {
    absent: { on: { load: 'loading' } },
    /** Reading the file, then warm runs; the executor does both in one go. */
    loading: { on: { load: 'loading', ready: 'ready', fail: 'failed' } },
    ready: { tags: ['ready', 'routable'], on: { load: 'loading', fail: 'failed' } },
    failed: { on: { load: 'loading' } },
  },
});
