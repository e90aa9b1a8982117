// Forms the next batch of a lane: the most urgent job and whoever waits that may share a batch with it, up to the rows
// that the model takes. Whoever can't be answered in time any more is left out: nothing is dispatched for nobody.
import type { MemberId } from '../../proto/ids.js';
import type { CostTable } from './cost.js';
import type { LaneQueue, Waiting } from './queue.js';

export interface Formed {
  readonly members: readonly Waiting[];
  readonly rows: number;
}

/** When nobody else waits, a run that may turn out so much faster than expected is worth a try. */
const hopeful = 0.8;

/** Takes its members out of the queue, `head` first. */
export function formBatch(
  queue: LaneQueue,
  head: Waiting,
  worker: MemberId,
  rowsMax: number,
  now: number,
  cost: CostTable,
): Formed {
  const members: Waiting[] = [];
  let rows = 0;
  let next: Waiting | undefined = head;
  while (next !== undefined) {
    const isLast = members.length === 0 && queue.count === 1;
    const leastMs = isLast ? hopeful * cost.mean(next.rows) : cost.high(next.rows);
    const tooLate: boolean = next.deadline - leastMs <= now;
    if (!tooLate && members.length > 0) {
      if (next.company !== 'any' || rows + next.rows > rowsMax) break;
      // It goes elsewhere, unless its mates had to come here as well.
      if (next.avoid === worker && head.avoid !== worker) break;
    }
    const taken: Waiting = next;
    next = queue.takeForNext(taken);
    if (tooLate) cost.doubt();
    else {
      members.push(taken);
      rows += taken.rows;
      if (taken.company !== 'any' || rows >= rowsMax) break;
    }
  }
  return { members, rows };
}
