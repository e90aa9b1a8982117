// The condition of a router. It takes work until it drains; it says it is ready only while every model that can be
// served at all has a worker that is trusted.
import { createMachine } from '../chart.js';

export const routerMachine = createMachine({
  id: 'router',
  initial: 'starting',
  states: {
    starting: {
      tags: ['routable'],
      on: { cover: 'ready', uncover: 'starting', drain: 'draining' },
    },
    ready: {
      tags: ['routable', 'ready'],
      on: { cover: 'ready', uncover: 'uncovered', drain: 'draining' },
    },
    uncovered: {
      tags: ['routable'],
      on: { cover: 'ready', uncover: 'uncovered', drain: 'draining' },
    },
    draining: {
      tags: ['draining'],
      on: { cover: 'draining', uncover: 'draining', drain: 'draining', empty: 'drained' },
    },
    drained: { type: 'final', tags: ['draining'] },
  },
});
