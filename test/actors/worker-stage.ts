// A stage for one worker: its routers, its schedulers and its executor are spoken by the test.

import type { Heard } from '../../actors/actor.js';
import type { Effect } from '../../actors/effects.js';
import type { Golden, RunFinished } from '../../actors/facts.js';
import { Worker, type WorkerSettings } from '../../actors/worker/worker.js';
import { batchingDefaults } from '../../proto/batching.js';
import type { MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import { digits, only, router, said, scheduler } from './stage.js';

export const otherScheduler = 'scheduler-2.ffffff';
export const otherRouter = 'router-2.ffffff';
export const listed = { ...digits, broken: '', runMaxMs: 500, batching: batchingDefaults };

export class WorkerStage {
  readonly worker: Worker;
  now = 0;
  private batches = 0;

  constructor(changes: Partial<WorkerSettings> = {}) {
    this.worker = new Worker({
      name: 'worker-1',
      device: 'cpu',
      tags: ['cpu'],
      credits: { inline: 1, thread: 2 },
      reportMs: 100,
      goWaitMs: 50,
      runMaxMs: 1000,
      ...changes,
    });
  }

  /** Registered, with the model ready in its thread. */
  static ready(
    place: 'inline' | 'thread' = 'thread',
    changes: Partial<WorkerSettings> = {},
    golden: Golden = 'none',
  ): WorkerStage {
    const stage = new WorkerStage(changes);
    stage.link(router, 'router');
    stage.link(otherRouter, 'router');
    stage.link(scheduler, 'scheduler');
    stage.hear({ type: 'worker.registered', epoch: 1 }, scheduler);
    stage.hear({ type: 'models.listed', models: [listed] });
    stage.hear({ type: 'model.loaded', ...digits, place, rowsMax: 4, runMs: 1, costs: [], golden });
    return stage;
  }

  hear(heard: Heard, from: MemberId = 'worker-1.cccccc'): Effect[] {
    return this.worker.receive(heard, from, this.now);
  }

  link(member: MemberId, role: 'router' | 'scheduler'): Effect[] {
    return this.hear({ type: 'link.opened', member, roles: [role] });
  }

  fire(timer: string): Effect[] {
    return this.hear({ type: 'timer.fired', timer });
  }

  run(changes: Partial<Said<'batch.run'>> = {}, from: MemberId = router): Effect[] {
    const jobs = changes.jobs ?? [1];
    const fill = <T>(value: T): T[] => jobs.map(() => value);
    const batch = { scheduler, batch: ++this.batches, epoch: 1, ...digits, solo: false };
    const members = { jobs, attempts: fill(1), rows: fill(1), budgetsMs: fill(1000) };
    const tensors = { inputs: [], split: false, outputs: [] };
    return this.hear({ type: 'batch.run', ...batch, ...members, ...tensors, ...changes }, from);
  }

  key(batch = this.batches, from = scheduler): string {
    return `${from}#${batch}`;
  }

  ran(batch: number, changes: Partial<RunFinished> = {}): Effect[] {
    const times = { inputMs: 1, computeMs: 2, outputMs: 3 };
    const result = { key: this.key(batch), code: '', reason: '', outputs: [], sizes: [] } as const;
    return this.hear({ type: 'run.finished', ...result, ...times, ...changes });
  }

  go(batch: number): Effect[] {
    return this.hear({ type: 'batch.go', scheduler, batch }, router);
  }

  held(): number {
    return [...this.worker.heldBatches()].length;
  }
}

export function started(effects: readonly Effect[]): string[] {
  return only(effects, 'run').map(({ key }) => key);
}

export function codes(effects: readonly Effect[]): readonly string[] | undefined {
  return said(effects, 'batch.finished')[0]?.codes;
}
