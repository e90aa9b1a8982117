// The jobs that wait for one model at one scheduler: by priority, then by deadline, then by arrival; bounded in number
// and bytes. Jobs that may share a batch (same router, same shapes) wait in a strand of their own, so that forming a
// batch never has to look past jobs that do not fit.
import type { JobNumber, MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';

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
  readonly arrival: number;
  /** Taken out of turn; its place in the heap is found empty later. */
  gone: boolean;
}

interface Strand {
  readonly key: string;
  readonly heap: Waiting[];
  gone: number;
}

export class LaneQueue {
  private readonly strands = new Map<string, Strand>();
  private readonly byRouter = new Map<MemberId, Map<JobNumber, Waiting>>();
  count = 0;
  bytes = 0;

  find(router: MemberId, job: JobNumber): Waiting | undefined {
    return this.byRouter.get(router)?.get(job);
  }

  add(entry: Waiting): void {
    const key = `${entry.router} ${entry.shapeKey}`;
    let strand = this.strands.get(key);
    if (strand === undefined) {
      strand = { key, heap: [], gone: 0 };
      this.strands.set(key, strand);
    }
    push(strand.heap, entry);
    let jobs = this.byRouter.get(entry.router);
    if (jobs === undefined) {
      jobs = new Map();
      this.byRouter.set(entry.router, jobs);
    }
    jobs.set(entry.job, entry);
    this.count++;
    this.bytes += entry.bytes;
  }

  /** Takes one out wherever it stands. */
  remove(entry: Waiting): void {
    if (entry.gone) return;
    this.leave(entry);
    const strand = this.strands.get(`${entry.router} ${entry.shapeKey}`);
    if (strand === undefined) return;
    strand.gone++;
    if (strand.gone > 64 && strand.gone > strand.heap.length / 2) compact(strand);
  }

  removeRouter(router: MemberId): void {
    for (const entry of [...(this.byRouter.get(router)?.values() ?? [])]) this.remove(entry);
    this.byRouter.delete(router);
  }

  /** The most urgent of all; undefined when nobody waits. */
  head(): Waiting | undefined {
    let head: Waiting | undefined;
    for (const strand of this.strands.values()) {
      const first = this.first(strand);
      if (first !== undefined && (head === undefined || before(first, head))) head = first;
    }
    return head;
  }

  /** The most urgent of those that may share a batch with `entry`. */
  nextLike(entry: Waiting): Waiting | undefined {
    const strand = this.strands.get(`${entry.router} ${entry.shapeKey}`);
    return strand === undefined ? undefined : this.first(strand);
  }

  /** Takes out an entry that `head` or `nextLike` gave. */
  take(entry: Waiting): void {
    this.leave(entry);
    const key = `${entry.router} ${entry.shapeKey}`;
    const strand = this.strands.get(key);
    if (strand?.heap[0] === entry) {
      pop(strand.heap);
      if (strand.heap.length === 0) this.strands.delete(key);
    } else if (strand !== undefined) strand.gone++;
  }

  private leave(entry: Waiting): void {
    entry.gone = true;
    this.count--;
    this.bytes -= entry.bytes;
    const jobs = this.byRouter.get(entry.router);
    if (jobs?.get(entry.job) === entry) jobs.delete(entry.job);
  }

  private first(strand: Strand): Waiting | undefined {
    while (strand.heap[0]?.gone === true) {
      pop(strand.heap);
      strand.gone--;
    }
    if (strand.heap.length === 0) this.strands.delete(strand.key);
    return strand.heap[0];
  }
}

function before(a: Waiting, b: Waiting): boolean {
  if (a.priority !== b.priority) return a.priority < b.priority;
  if (a.deadline !== b.deadline) return a.deadline < b.deadline;
  return a.arrival < b.arrival;
}

function push(heap: Waiting[], entry: Waiting): void {
  let at = heap.length;
  heap.push(entry);
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
  sink(heap, last, 0);
}

function sink(heap: Waiting[], entry: Waiting, from: number): void {
  let at = from;
  for (;;) {
    let below = at * 2 + 1;
    if (below >= heap.length) break;
    const right = below + 1;
    if (right < heap.length && before(heap[right] as Waiting, heap[below] as Waiting)) below = right;
    if (!before(heap[below] as Waiting, entry)) break;
    heap[at] = heap[below] as Waiting;
    at = below;
  }
  heap[at] = entry;
}

function compact(strand: Strand): void {
  const kept = strand.heap.filter((entry) => !entry.gone);
  strand.heap.length = 0;
  for (const entry of kept) push(strand.heap, entry);
  strand.gone = 0;
}
