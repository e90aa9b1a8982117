// Probes that need not be answered though all has healed: why one was late or refused, held against how things stood
// when it was, for what may happen somewhere in a scenario excuses nobody to whom it did not happen.
import { heldKey } from '../../actors/worker/held.js';
import { type Scenario, tags, workerNames } from './scenario.js';
import type { System } from './system.js';
import type { TrueJob } from './truth.js';

interface Circumstances {
  /** The worker that it was sent to had something to do. */
  readonly isBusyThere: boolean;
  /** Somebody could run its model and had it not in memory. */
  readonly isScarce: boolean;
}

export class Excuses {
  private readonly noted = new Map<TrueJob, Circumstances>();
  private readonly system: System;

  constructor(system: System) {
    this.system = system;
  }

  /** A job has just ended. */
  note(job: TrueJob): void {
    if (!job.probe || job.ending === 'completed') return;
    const { system } = this;
    const { model } = job.plan.model;
    const could = system
      .with('worker')
      .filter(({ id }) => canRun(job, id.slice(0, id.indexOf('.')), system.scenario));
    this.noted.set(job, {
      isBusyThere: system.executorOf(job.worker)?.isAtWork === true,
      isScarce: could.some(({ id }) => system.executorOf(id)?.hasInMemory(model) !== true),
    });
  }

  excuses(job: TrueJob): boolean {
    return isHeldUp(job) || this.isAtSlow(job) || this.isCrowdedOut(job);
  }

  /** It ran or waited at a slow worker of which nobody knew that yet, or waited for one as none but that can run its model. */
  private isAtSlow(job: TrueJob): boolean {
    const { scenario } = this.system;
    if (!job.ending.startsWith('expired')) return false;
    if (job.worker === '') return isLeftToSlow(job, scenario) || isRoomForSlowOnly(job, scenario);
    const isThere = Object.keys(scenario.slow).some((name) => job.worker.startsWith(`${name}.`));
    return isThere && (hasBegun(job) || this.noted.get(job)?.isBusyThere === true);
  }

  /**
   * Somebody had no room for its model, or none but a slow one can run it, and the others are busy: the estimate says so
   * at once. Or nobody had asked for its model, and another waits already for its being loaded.
   */
  private isCrowdedOut(job: TrueJob): boolean {
    const { scenario, truth } = this.system;
    const { memoryMb, demanded } = scenario.room;
    if (job.ending !== 'rejected OVERLOADED') return false;
    const isScarce = this.noted.get(job)?.isScarce === true;
    if ((memoryMb > 0 && isScarce) || isLeftToSlow(job, scenario)) return true;
    const { model } = job.plan.model;
    if (!demanded.includes(model) || !isScarce) return false;
    return [...truth.all()].some(
      ({ probe, plan, ending }) => probe && plan.model.model === model && ending === 'completed',
    );
  }
}

/** Its model's owner has it wait until the last moment, and others with it: then chance decides who is still in time. */
function isHeldUp({ plan, ending }: TrueJob): boolean {
  return plan.model.batching.policy === 'deferred' && ending.startsWith('expired');
}

/** Where it was sent last. */
function hasBegun({ dispatch, starts }: TrueJob): boolean {
  return dispatch !== undefined && starts.has(heldKey(dispatch.scheduler, dispatch.batch));
}

function isLeftToSlow(job: TrueJob, scenario: Scenario): boolean {
  return workerNames.every((worker) => !canRun(job, worker, scenario) || scenario.slow[worker] !== undefined);
}

/** While others had yet to make room for its model it waited for a slow one to do so, or was given up there. */
function isRoomForSlowOnly(job: TrueJob, scenario: Scenario): boolean {
  const { room, slow } = scenario;
  return room.memoryMb > 0 && Object.keys(slow).some((worker) => canRun(job, worker, scenario));
}

function canRun({ plan }: TrueJob, worker: string, { unloadable }: Scenario): boolean {
  const { model, batching } = plan.model;
  const fits = batching.needs.every((tag) => tags[worker]?.includes(tag));
  return fits && !unloadable.includes(`${worker} ${model}`);
}
