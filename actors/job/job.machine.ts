// The life of a job, written once. Every choice is an event of its own, so that the same chart can be drawn, walked by
// tests and compiled into the table that the router uses. Actions name what the router has to do for the move.
import { createMachine } from '../chart.js';

export const jobMachine = createMachine({
  id: 'job',
  initial: 'arriving',
  states: {
    arriving: {
      on: {
        admit: { target: 'queued', actions: 'enqueue' },
        reject: { target: 'rejected', actions: 'answer' },
        expire: { target: 'expired', actions: 'answer' },
      },
    },
    queued: {
      on: {
        assign: { target: 'assigned', actions: 'dispatch' },
        orphan: { target: 'queued', actions: 'enqueue' },
        reject: { target: 'rejected', actions: 'answer' },
        expire: { target: 'expired', actions: ['withdraw', 'answer'] },
        cancel: { target: 'cancelled', actions: ['withdraw', 'answer'] },
      },
    },
    assigned: {
      on: {
        start: { target: 'running' },
        complete: { target: 'completed', actions: 'answer' },
        fail: { target: 'failed', actions: 'answer' },
        lose: { target: 'retrying', actions: 'reconsider' },
        expire: { target: 'expired', actions: ['recall', 'answer'] },
        cancel: { target: 'cancelled', actions: ['recall', 'answer'] },
      },
    },
    running: {
      on: {
        complete: { target: 'completed', actions: 'answer' },
        fail: { target: 'failed', actions: 'answer' },
        lose: { target: 'retrying', actions: 'reconsider' },
        expire: { target: 'expired', actions: ['recall', 'answer'] },
        cancel: { target: 'cancelled', actions: ['recall', 'answer'] },
      },
    },
    retrying: {
      on: {
        requeue: { target: 'queued', actions: 'enqueue' },
        giveUp: { target: 'failed', actions: 'answer' },
        expire: { target: 'expired', actions: 'answer' },
        cancel: { target: 'cancelled', actions: 'answer' },
      },
    },
    completed: { type: 'final' },
    failed: { type: 'final' },
    expired: { type: 'final' },
    cancelled: { type: 'final' },
    rejected: { type: 'final' },
  },
});
