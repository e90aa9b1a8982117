// The condition of a worker process: it joins when a scheduler has registered it, serves, and leaves by draining.
import { createMachine } from '../chart.js';

export const workerMachine = createMachine({
  id: 'worker',
  initial: 'joining',
  states: {
    joining: { on: { register: 'serving', unregister: 'joining', drain: 'draining' } },
    serving: {
      tags: ['ready', 'routable'],
      on: { register: 'serving', unregister: 'joining', drain: 'draining' },
    },
    draining: {
      tags: ['draining'],
      on: { register: 'draining', unregister: 'draining', drain: 'draining', empty: 'stopped' },
    },
    stopped: { type: 'final', tags: ['draining'] },
  },
});
