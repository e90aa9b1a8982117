// The workers that are registered at a scheduler: their epoch, what they can run, the credits they gave and the batches
// that hold them. A credit is out exactly while a batch is on record here.
import type { MemberId } from '../../proto/ids.js';
import type { Place, Said } from '../../proto/messages.js';
import { CostTable } from '../lane/cost.js';
import { Numbered } from '../numbered.js';

const costTablesMax = 512;

export interface Share {
  readonly state: Said<'share.changed'>['state'];
  readonly place: Place;
  readonly rowsMax: number;
  readonly reason: string;
}

export interface Batch {
  readonly batch: number;
  readonly router: MemberId;
  readonly cost: CostTable;
  readonly place: Place;
  readonly rows: number;
  readonly jobs: readonly number[];
  readonly attempts: readonly number[];
  readonly assignedAt: number;
  readonly costMs: number;
  /** How many of the worker's reports did not know of it. */
  missing: number;
}

export class WorkerRecord {
  readonly id: MemberId;
  readonly name: string;
  readonly epoch: number;
  readonly credits: Record<Place, number>;
  readonly used: Record<Place, number> = { inline: 0, thread: 0 };
  readonly freeAt: Record<Place, number> = { inline: 0, thread: 0 };
  readonly shares = new Map<string, Share>();
  private readonly costs = new Map<string, Map<string, CostTable>>();
  private costTables = 0;
  readonly batches = new Numbered<Batch>();
  rowsHeld = 0;
  lastChosen = 0;
  leaving = false;

  constructor(id: MemberId, epoch: number, register: Said<'worker.register'>) {
    this.id = id;
    this.name = register.name;
    this.epoch = epoch;
    this.credits = { inline: register.inlineCredits, thread: register.threadCredits };
  }

  /** The share, when the worker has it ready and a credit to spare for it. */
  open(model: string): Share | undefined {
    const share = this.shares.get(model);
    if (share?.state !== 'ready' || this.leaving) return undefined;
    return this.used[share.place] < this.credits[share.place] ? share : undefined;
  }

  cost(model: string, shapeKey: string): CostTable {
    const known = this.costs.get(model)?.get(shapeKey);
    if (known !== undefined) return known;
    // Shapes without end would fill the memory; what is dropped is learned again.
    if (++this.costTables > costTablesMax) {
      this.costs.clear();
      this.costTables = 1;
    }
    const cost = new CostTable();
    const shapes = this.costs.get(model) ?? new Map<string, CostTable>();
    this.costs.set(model, shapes.set(shapeKey, cost));
    return cost;
  }

  give(batch: Batch, now: number): void {
    this.batches.set(batch.batch, batch);
    this.used[batch.place]++;
    this.rowsHeld += batch.rows;
    this.freeAt[batch.place] = Math.max(this.freeAt[batch.place], now) + batch.costMs;
  }

  /** The credit of a batch comes back; undefined when it is not out. */
  release(number: number, now: number): Batch | undefined {
    const batch = this.batches.get(number);
    if (batch === undefined) return undefined;
    this.batches.delete(number);
    this.used[batch.place]--;
    this.rowsHeld -= batch.rows;
    let remaining = 0;
    for (const other of this.batches.values()) if (other.place === batch.place) remaining += other.costMs;
    this.freeAt[batch.place] = now + remaining;
    return batch;
  }
}
