// The condition of one model's queue at a scheduler: whether anybody can run it, and whether it still takes jobs.
import { createMachine } from '../chart.js';

export const laneMachine = createMachine({
  id: 'lane',
  initial: 'unserved',
  states: {
    /** No worker has the model ready: jobs wait within their deadlines. */
    unserved: {
      tags: ['accepting'],
      on: { serve: 'open', unserve: 'unserved', fill: 'blocked', ease: 'unserved' },
    },
    open: {
      tags: ['accepting', 'routable'],
      on: { serve: 'open', unserve: 'unserved', fill: 'full', ease: 'open' },
    },
    full: { tags: ['routable'], on: { serve: 'full', unserve: 'blocked', fill: 'full', ease: 'open' } },
    /** Full, and nobody to empty it. */
    blocked: { on: { serve: 'full', unserve: 'blocked', fill: 'blocked', ease: 'unserved' } },
  },
});
