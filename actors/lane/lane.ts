// One model's lane at a scheduler: its chart, its queue, its bounds.
import type { MemberId } from '../../proto/ids.js';
import { type Chart, startChart } from '../chart.js';
import { laneMachine } from './lane.machine.js';
import { LaneQueue, type Waiting } from './queue.js';

export interface LaneLimits {
  readonly depthMax: number;
  readonly bytesMax: number;
}

export class Lane {
  readonly model: string;
  readonly version: string;
  readonly key: string;
  readonly queue = new LaneQueue();
  readonly chart: Chart = startChart(laneMachine);
  /** What routers were told last of who can run it: said again only when it changes. */
  word = '';
  private readonly limits: LaneLimits;

  constructor(key: string, model: string, version: string, limits: LaneLimits) {
    this.key = key;
    this.model = model;
    this.version = version;
    this.limits = limits;
  }

  /** False when the lane takes no more. */
  accept(entry: Waiting): boolean {
    if (!this.chart.has('accepting')) return false;
    this.queue.add(entry);
    const { depthMax, bytesMax } = this.limits;
    if (this.queue.count >= depthMax || this.queue.bytes >= bytesMax) this.chart.move('fill');
    return true;
  }

  /** After something left the queue: opens it again with some room to spare, so that it does not flap. */
  ease(): void {
    if (this.chart.has('accepting')) return;
    const { depthMax, bytesMax } = this.limits;
    if (this.queue.count < depthMax * 0.9 && this.queue.bytes < bytesMax) this.chart.move('ease');
  }

  removeRouter(router: MemberId): void {
    this.queue.removeRouter(router);
    this.ease();
  }

  serve(ready: boolean): void {
    this.chart.move(ready ? 'serve' : 'unserve');
  }
}
