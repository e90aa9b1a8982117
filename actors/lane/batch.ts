// Forms the next batch of a lane: the most urgent job and whoever waits that may share a batch with it, up to the rows
// that the model takes. Whoever can't be answered in time any more is left out: nothing is dispatched for nobody.
import type { LaneQueue, Waiting } from './queue.js';

export interface Formed {
  readonly members: readonly Waiting[];
  readonly rows: number;
  /** Left out because no run would be fast enough for them. */
  readonly late: number;
}

export function formBatch(
  queue: LaneQueue,
  rowsMax: number,
  now: number,
  leastMs: number,
): Formed | undefined {
  const head = queue.head();
  if (head === undefined) return undefined;
  const members: Waiting[] = [];
  let rows = 0;
  let late = 0;
  let next: Waiting | undefined = head;
  while (next !== undefined) {
    const tooLate = next.deadline - leastMs <= now;
    if (!tooLate && members.length > 0 && (next.company !== 'any' || rows + next.rows > rowsMax)) break;
    queue.take(next);
    if (tooLate) late++;
    else {
      members.push(next);
      rows += next.rows;
      if (next.company !== 'any' || rows >= rowsMax) break;
    }
    next = queue.nextLike(head);
  }
  return { members, rows, late };
}
