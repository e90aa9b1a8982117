// Models that workers retire: each runs what still comes, and is let go once its lane has been quiet for a while, with
// nothing waiting and nothing at any worker. So what was taken for a model is run by it. Where others have the model and
// stay, what comes goes to them: who retires it is let go as soon as it has run what it has.

import type { Effect } from '../effects.js';
import { send } from '../effects.js';
import type { Lane } from '../lane/lane.js';
import type { Registry } from './registry.js';
import type { WorkerRecord } from './workers.js';

/** Within so long every router has heard that there is something newer, and what it had sent before has come. */
const quietUsualMs = 1000;
const looks = 5;

export class Retirements {
  private readonly registry: Registry;
  private readonly quietMs: number;

  constructor(registry: Registry, quietMs = quietUsualMs) {
    this.registry = registry;
    this.quietMs = quietMs;
  }

  /** Says who is let go; when to look again. */
  review(lanes: ReadonlyMap<string, Lane>, out: Effect[], now: number): number {
    let lookAt = Number.POSITIVE_INFINITY;
    for (const lane of [...lanes.values()]) {
      const workers = this.retiringOf(lane.key);
      if (workers.length === 0) continue;
      if (this.hasSuccessor(lane)) {
        for (const worker of workers) {
          if (worker.holds(lane.key)) lookAt = Math.min(lookAt, now + this.quietMs / looks);
          else this.letGo(worker, lane, out);
        }
        continue;
      }
      // What is lost with one worker goes to another.
      if (this.isUnderWay(lane)) lane.askedAt = Math.max(lane.askedAt, now - this.quietMs / 2);
      const quietAt = lane.askedAt + this.quietMs;
      if (now >= quietAt) for (const worker of workers) this.letGo(worker, lane, out);
      else lookAt = Math.min(lookAt, Math.max(quietAt, now + this.quietMs / looks));
    }
    return lookAt;
  }

  private hasSuccessor({ key, batching }: Lane): boolean {
    return this.registry.crew(key, batching).some(({ share }) => share.state === 'ready');
  }

  private isUnderWay(lane: Lane): boolean {
    if (lane.queue.count > 0) return true;
    for (const worker of this.registry.all()) if (worker.holds(lane.key)) return true;
    return false;
  }

  private letGo(worker: WorkerRecord, { key, model, version }: Lane, out: Effect[]): void {
    worker.dismiss(key);
    this.registry.changed();
    out.push(send(worker.id, { type: 'share.dismissed', epoch: worker.epoch, model, version }));
  }

  private retiringOf(key: string): WorkerRecord[] {
    const workers: WorkerRecord[] = [];
    for (const worker of this.registry.all()) {
      const state = worker.shares.get(key)?.state;
      if (state === 'retiring' || state === 'fading') workers.push(worker);
    }
    return workers;
  }
}
