// The jobs that wait for one model at one scheduler: by priority, then by deadline, then by arrival; bounded in number
// and bytes. Jobs that may share a batch (same router, same shapes) wait in a strand of their own, so that forming a
// batch never has to look past jobs that do not fit.
import type { JobNumber, MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import { Numbered } from '../numbered.js';
import { Backlog } from './backlog.js';

export interface Waiting {
  readonly router: MemberId;
  readonly job: JobNumber;
  readonly attempt: number;
  readonly shapeKey: string;
  readonly rows: number;
  readonly bytes: number;
  readonly priority: number;
  readonly deadline: number;
  readonly company: Said<'job.enqueue'>['company'];
  readonly avoid: MemberId;
  /** It had been taken before it came here. */
  readonly admitted: boolean;
  readonly arrival: number;
  readonly arrivedAt: number;
  /** Where it waits; undefined when it waits no more, though its place in the heap may only later be found empty. */
  strand: Strand | undefined;
}

/** What one router has waiting here. */
interface Queued {
  readonly jobs: Numbered<Waiting>;
  readonly strands: Map<string, Strand>;
}

export interface Strand {
  readonly queued: Queued;
  readonly shapeKey: string;
  readonly heap: Waiting[];
  /** Entries of the heap that wait no more. */
  gone: number;
  jobs: number;
  rows: number;
}

const headsMost = 32;

export class LaneQueue {
  private readonly byRouter = new Map<MemberId, Queued>();
  private readonly strands = new Set<Strand>();
  readonly backlog = new Backlog();
  count = 0;
  rows = 0;
  bytes = 0;

  /** How many sorts of jobs wait that may not share a batch with another sort. */
  get sorts(): number {
    return this.strands.size;
  }

  find(router: MemberId, job: JobNumber): Waiting | undefined {
    return this.byRouter.get(router)?.jobs.get(job);
  }

  add(entry: Waiting): void {
    let queued = this.byRouter.get(entry.router);
    if (queued === undefined) {
      queued = { jobs: new Numbered(), strands: new Map() };
      this.byRouter.set(entry.router, queued);
    }
    let strand = queued.strands.get(entry.shapeKey);
    if (strand === undefined) {
      strand = { queued, shapeKey: entry.shapeKey, heap: [], gone: 0, jobs: 0, rows: 0 };
      queued.strands.set(entry.shapeKey, strand);
      this.strands.add(strand);
    }
    entry.strand = strand;
    push(strand.heap, entry);
    queued.jobs.set(entry.job, entry);
    this.count++;
    this.rows += entry.rows;
    this.bytes += entry.bytes;
    strand.jobs++;
    strand.rows += entry.rows;
    this.backlog.add(entry.priority, entry.deadline, entry.rows);
  }

  /** Takes one out wherever it stands. */
  remove(entry: Waiting): void {
    const { strand } = entry;
    if (strand === undefined) return;
    this.leave(entry, strand);
    if (strand.heap[0] === entry) pop(strand.heap);
    else strand.gone++;
    if (strand.gone > 64 && strand.gone > strand.heap.length / 2) compact(strand);
    this.tidy(strand);
  }

  *all(): Iterable<Waiting> {
    for (const { jobs } of this.byRouter.values()) yield* jobs.values();
  }

  /** The most urgent of those who are no more urgent than that and fit. Looks at everybody once. */
  firstFrom(priority: number, deadline: number, fits: (entry: Waiting) => boolean): Waiting | undefined {
    let first: Waiting | undefined;
    for (const { heap } of this.strands) {
      for (const entry of heap) {
        const isBefore =
          entry.priority < priority || (entry.priority === priority && entry.deadline < deadline);
        if (isBefore || entry.strand === undefined || !fits(entry)) continue;
        if (first === undefined || before(entry, first)) first = entry;
      }
    }
    return first;
  }

  /** The least urgent of those of lower priority than this who can't have begun yet. */
  lastToLeave(priority: number): Waiting | undefined {
    let last: Waiting | undefined;
    for (const entry of this.all()) {
      if (entry.priority <= priority || entry.attempt > 1) continue;
      if (last === undefined || before(last, entry)) last = entry;
    }
    return last;
  }

  removeRouter(router: MemberId): void {
    for (const entry of this.byRouter.get(router)?.jobs.values() ?? []) this.remove(entry);
    this.byRouter.delete(router);
  }

  /** The most urgent of all. */
  first(): Waiting | undefined {
    let first: Waiting | undefined;
    for (const { heap } of this.strands) {
      const head = heap[0] as Waiting;
      if (first === undefined || before(head, first)) first = head;
    }
    return first;
  }

  /** The first of each strand, the most urgent first; of very many strands the most urgent of them. */
  heads(): readonly Waiting[] {
    const heads: Waiting[] = [];
    for (const strand of this.strands) {
      const head = strand.heap[0] as Waiting;
      const last = heads[heads.length - 1];
      if (heads.length === headsMost && last !== undefined && !before(head, last)) continue;
      let at = heads.length === headsMost ? headsMost - 1 : heads.length;
      for (; at > 0 && before(head, heads[at - 1] as Waiting); at--) heads[at] = heads[at - 1] as Waiting;
      heads[at] = head;
    }
    return heads;
  }

  /** Takes out an entry; the most urgent of those that may share a batch with it. */
  takeForNext(entry: Waiting): Waiting | undefined {
    const { strand } = entry;
    this.remove(entry);
    return strand?.heap[0];
  }

  private leave(entry: Waiting, strand: Strand): void {
    entry.strand = undefined;
    this.count--;
    this.rows -= entry.rows;
    this.bytes -= entry.bytes;
    strand.jobs--;
    strand.rows -= entry.rows;
    this.backlog.remove(entry.priority, entry.deadline, entry.rows);
    strand.queued.jobs.delete(entry.job);
  }

  /** A strand in use begins with somebody who waits; one that is empty goes. */
  private tidy(strand: Strand): void {
    const { heap, queued, shapeKey } = strand;
    while (heap.length > 0 && heap[0]?.strand === undefined) {
      pop(heap);
      strand.gone--;
    }
    if (heap.length > 0) return;
    queued.strands.delete(shapeKey);
    this.strands.delete(strand);
  }
}

export function before(a: Waiting, b: Waiting): boolean {
  if (a.priority !== b.priority) return a.priority < b.priority;
  if (a.deadline !== b.deadline) return a.deadline < b.deadline;
  return a.arrival < b.arrival;
}

function push(heap: Waiting[], entry: Waiting): void {
  heap.push(entry);
  rise(heap, entry, heap.length - 1);
}

function rise(heap: Waiting[], entry: Waiting, from: number): void {
  let at = from;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above] as Waiting;
    if (!before(entry, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = entry;
}

function pop(heap: Waiting[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  sink(heap, last);
}

/** Down to the bottom and up again to its place: whoever comes from the bottom mostly stays there. */
function sink(heap: Waiting[], entry: Waiting): void {
  const { length } = heap;
  let at = 0;
  for (let below = 1; below < length; below = at * 2 + 1) {
    const right = below + 1;
    if (right < length && before(heap[right] as Waiting, heap[below] as Waiting)) below = right;
    heap[at] = heap[below] as Waiting;
    at = below;
  }
  rise(heap, entry, at);
}

function compact(strand: Strand): void {
  const kept = strand.heap.filter((entry) => entry.strand !== undefined);
  strand.heap.length = 0;
  for (const entry of kept) push(strand.heap, entry);
  strand.gone = 0;
}
