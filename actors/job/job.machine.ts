// The life of a job, written once. Every choice is an event of its own, so that the same chart can be drawn, walked by
// tests and compiled into the table that the router uses. Actions name what the router does by
// itself whenever the move is made.
import { createMachine } from '../chart.js';

export const jobMachine = createMachine({
  id: 'job',
  initial: 'arriving',
  states: {
    arriving: {
      on: {
        admit: { target: 'queued', actions: 'enqueue' },
        share: 'sharing',
        reject: 'rejected',
        expire: 'expired',
      },
    },
    sharing: {
      on: {
        lead: { target: 'queued', actions: 'enqueue' },
        complete: 'completed',
        fail: 'failed',
        expire: 'expired',
        cancel: 'cancelled',
      },
    },
    queued: {
      on: {
        assign: 'assigned',
        orphan: { target: 'queued', actions: 'enqueue' },
        reject: 'rejected',
        giveUp: 'failed',
        displace: 'displaced',
        expire: { target: 'expired', actions: 'withdraw' },
        cancel: { target: 'cancelled', actions: 'withdraw' },
      },
    },
    assigned: {
      on: {
        start: 'running',
        complete: 'completed',
        fail: 'failed',
        lose: 'retrying',
        expire: { target: 'expired', actions: 'recall' },
        cancel: { target: 'cancelled', actions: 'recall' },
      },
    },
    running: {
      on: {
        complete: 'completed',
        fail: 'failed',
        lose: 'retrying',
        expire: { target: 'expired', actions: 'recall' },
        cancel: { target: 'cancelled', actions: 'recall' },
      },
    },
    retrying: {
      on: {
        requeue: { target: 'queued', actions: 'enqueue' },
        resume: 'running',
        giveUp: 'failed',
        expire: 'expired',
        cancel: 'cancelled',
      },
    },
    completed: { type: 'final' },
    failed: { type: 'final' },
    expired: { type: 'final' },
    cancelled: { type: 'final' },
    rejected: { type: 'final' },
    displaced: { type: 'final' },
  },
});
