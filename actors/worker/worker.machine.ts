// The condition of a worker process: it joins when a scheduler has registered it, serves, and leaves by draining. In
// doubt it does nothing until the golden inputs of its models have passed; if they don't, it is replaced. While its node is
// drained it stands by: it takes nothing, and comes back as one that joins.
import { createMachine } from '../chart.js';

export const workerMachine = createMachine({
  id: 'worker',
  initial: 'joining',
  states: {
    joining: {
      on: {
        register: 'serving',
        unregister: 'joining',
        doubt: 'probing',
        vacate: 'vacating',
        drain: 'draining',
      },
    },
    serving: {
      tags: ['ready', 'routable'],
      on: {
        register: 'serving',
        unregister: 'joining',
        doubt: 'probing',
        vacate: 'vacating',
        drain: 'draining',
      },
    },
    /** It gave an invalid answer, or a golden input failed: its models are put to the test. */
    probing: {
      tags: ['confined'],
      on: {
        register: 'probing',
        unregister: 'probing',
        pass: 'joining',
        fail: 'quarantined',
        vacate: 'vacating',
        drain: 'draining',
      },
    },
    /** It failed the test, and ends. */
    quarantined: {
      tags: ['confined'],
      on: { register: 'quarantined', unregister: 'quarantined', drain: 'draining' },
    },
    /** It finishes what it has. */
    vacating: {
      tags: ['draining'],
      on: {
        register: 'vacating',
        unregister: 'vacating',
        empty: 'vacant',
        return: 'returning',
        drain: 'draining',
      },
    },
    vacant: {
      tags: ['draining'],
      on: { register: 'vacant', unregister: 'vacant', return: 'returning', drain: 'draining' },
    },
    /** Wanted again: it comes back once it has nothing left of before and its golden inputs have passed. */
    returning: {
      tags: ['draining'],
      on: {
        register: 'returning',
        unregister: 'returning',
        pass: 'joining',
        vacate: 'vacating',
        drain: 'draining',
      },
    },
    draining: {
      tags: ['draining'],
      on: { register: 'draining', unregister: 'draining', drain: 'draining', empty: 'stopped' },
    },
    stopped: { type: 'final', tags: ['draining'] },
  },
});
