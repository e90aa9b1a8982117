// One model's lane at a scheduler: its chart, its queue, its bounds, what comes and how its owner wants it batched.
import { type Batching, type BatchPolicy, batchingDefaults } from '../../proto/batching.js';
import type { MemberId } from '../../proto/ids.js';
import { type Chart, startChart } from '../chart.js';
import { Demand } from './demand.js';
import { laneMachine } from './lane.machine.js';
import { LaneQueue, type Waiting } from './queue.js';

export interface LaneLimits {
  readonly depthMax: number;
  readonly bytesMax: number;
}

/** How batches are formed at present, and why so. */
export interface Manner {
  readonly policy: BatchPolicy;
  readonly why: string;
}

const ownersWord = "the model's configuration says so";
const undecided: Manner = { policy: 'auto', why: 'nothing has come yet: the first requests decide' };

/** What the owner of a model said: with `auto` the lane chooses, once there is something to choose by. */
export function mannerOf(policy: BatchPolicy): Manner {
  return policy === 'auto' ? undecided : { policy, why: ownersWord };
}

export class Lane {
  readonly model: string;
  readonly version: string;
  readonly key: string;
  readonly queue = new LaneQueue();
  readonly demand = new Demand();
  readonly chart: Chart = startChart(laneMachine);
  batching: Batching = batchingDefaults;
  manner = mannerOf(this.batching.policy);
  mannerSince = Number.NEGATIVE_INFINITY;
  /** When a job came last. */
  askedAt = Number.NEGATIVE_INFINITY;
  /** Worker time that it was given, in units of its weight. */
  served = 0;
  /** Somebody of higher priority came: some that wait may not make it any more. */
  pressed = false;
  /** What routers were told last of who can run it: said again only when it changes. */
  word = '';
  /** Why no worker can run it, nor is about to; empty while one may. */
  lack = '';
  /** Some worker has it at rest. */
  rests = false;
  private readonly limits: LaneLimits;

  constructor(key: string, model: string, version: string, limits: LaneLimits) {
    this.key = key;
    this.model = model;
    this.version = version;
    this.limits = limits;
  }

  describe(batching: Batching): void {
    if (batching.policy !== this.batching.policy) this.manner = mannerOf(batching.policy);
    this.batching = batching;
  }

  /** False when the lane takes no more. */
  accept(entry: Waiting): boolean {
    if (!this.chart.has('accepting')) return false;
    this.queue.add(entry);
    const { count, bytes } = this.queue;
    if (count >= this.depthMax || bytes >= this.bytesMax) this.chart.move('fill');
    return true;
  }

  /** After something left the queue: opens it again with some room to spare, so that it does not flap. */
  ease(): void {
    if (this.chart.has('accepting')) return;
    const { count, bytes } = this.queue;
    if (count < this.depthMax * 0.9 && bytes < this.bytesMax) this.chart.move('ease');
  }

  removeRouter(router: MemberId): void {
    this.queue.removeRouter(router);
    this.ease();
  }

  serve(ready: boolean): void {
    this.chart.move(ready ? 'serve' : 'unserve');
  }

  private get depthMax(): number {
    return this.batching.depthMax || this.limits.depthMax;
  }

  private get bytesMax(): number {
    return this.batching.bytesMax || this.limits.bytesMax;
  }
}
