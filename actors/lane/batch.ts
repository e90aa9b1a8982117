// Forms the next batch of a lane: the most urgent job and whoever waits that may share a batch with it, up to the rows
// that the model takes. Who would be late on this worker waits on for another, be it one that loads the model yet; who
// would be late on every one is left out: nothing is dispatched for nobody.
import type { MemberId } from '../../proto/ids.js';
import type { CostTable } from './cost.js';
import type { LaneQueue, Waiting } from './queue.js';

export interface Formed {
  readonly members: readonly Waiting[];
  readonly rows: number;
}

/** Whom the batch is for. */
export interface Seat {
  readonly worker: MemberId;
  readonly rowsMax: number;
  readonly cost: CostTable;
  /** When a batch sent now would begin there, its way there and back included. */
  readonly beginsAt: number;
  /** Of whichever worker runs it fastest. */
  readonly fastest: CostTable;
  /** Of those that load it now, by the same measure; undefined when nobody does. */
  readonly coming: CostTable | undefined;
}

/** When nobody else waits, a run that may turn out so much faster than expected is worth a try. */
const hopeful = 0.8;
/** So many are passed over in one go. */
const passedMost = 64;
/** So many of them for a worker that may be long in coming. */
const awaitingMost = 16;

/** Takes its members out of the queue, `head` first. */
export function formBatch(queue: LaneQueue, head: Waiting, seat: Seat, now: number): Formed {
  const { worker, rowsMax, cost, beginsAt, fastest, coming } = seat;
  const members: Waiting[] = [];
  const passed: Waiting[] = [];
  let rows = 0;
  let awaiting = 0;
  let due = Number.POSITIVE_INFINITY;
  let next: Waiting | undefined = head;
  while (next !== undefined && passed.length < passedMost) {
    const isLast = members.length === 0 && queue.count === 1;
    const isLate = isLast ? isHopeless(next, cost, now) : next.deadline - cost.high(next.rows) <= beginsAt;
    if (!isLate && members.length > 0) {
      if (next.company !== 'any' || rows + next.rows > rowsMax) break;
      // How many rows was reckoned for the head: whoever is due before it, or first in its place, isn't made late either.
      const soonest = Math.min(due, next.deadline);
      const isReckoned = members[0] === head && soonest >= head.deadline;
      if (!isReckoned && soonest - cost.high(rows + next.rows) <= beginsAt) break;
      // It goes elsewhere, unless its mates had to come here as well.
      if (next.avoid === worker && head.avoid !== worker) break;
    }
    const taken: Waiting = next;
    next = queue.takeForNext(taken);
    if (isLate) {
      if (!isLast && isFeasible(taken, fastest, now)) passed.push(taken);
      else if (awaiting < awaitingMost && isFeasible(taken, coming, now)) {
        awaiting++;
        passed.push(taken);
      }
    } else {
      due = Math.min(due, taken.deadline);
      members.push(taken);
      rows += taken.rows;
      if (taken.company !== 'any' || rows >= rowsMax) break;
    }
  }
  for (const entry of passed) queue.add(entry);
  return { members, rows };
}

/** Were it begun now. */
function isFeasible({ deadline, rows }: Waiting, cost: CostTable | undefined, now: number): boolean {
  return cost !== undefined && deadline - cost.high(rows) > now;
}

function isHopeless(entry: Waiting, cost: CostTable, now: number): boolean {
  return entry.deadline - hopeful * cost.hoped(entry.rows) <= now;
}
