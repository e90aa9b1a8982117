// The condition of a worker process: it joins when a scheduler has registered it, serves, and leaves by draining. In
// doubt it does nothing until the golden inputs of its models have passed; if they don't, it is replaced.
import { createMachine } from '../chart.js';

export const workerMachine = createMachine({
  id: 'worker',
  initial: 'joining',
  states: {
    joining: { on: { register: 'serving', unregister: 'joining', doubt: 'probing', drain: 'draining' } },
    serving: {
      tags: ['ready', 'routable'],
      on: { register: 'serving', unregister: 'joining', doubt: 'probing', drain: 'draining' },
    },
    /** It gave an invalid answer, or a golden input failed: its models are put to the test. */
    probing: {
      tags: ['confined'],
      on: {
        register: 'probing',
        unregister: 'probing',
        pass: 'joining',
        fail: 'quarantined',
        drain: 'draining',
      },
    },
    /** It failed the test, and ends. */
    quarantined: {
      tags: ['confined'],
      on: { register: 'quarantined', unregister: 'quarantined', drain: 'draining' },
    },
    draining: {
      tags: ['draining'],
      on: { register: 'draining', unregister: 'draining', drain: 'draining', empty: 'stopped' },
    },
    stopped: { type: 'final', tags: ['draining'] },
  },
});
