// When a run is taken for hung. A worker that was held up itself gives its runs as much time again.
import { modelKey, versionOf } from '../../proto/ids.js';
import type { Held } from './held.js';
import type { Wants } from './wants.js';

/** A timer that comes later than this tells that the whole process was held up. */
export const lagMostMs = 20;

export class Hanging {
  private readonly wants: Wants;

  constructor(wants: Wants) {
    this.wants = wants;
  }

  watch(held: Held, hangsAt: number): void {
    held.hangsAt = hangsAt;
    this.wants.arm(`run ${held.key}`, hangsAt);
  }

  /** Told by a timer that came late: while this process was held up, its runs were too. */
  excuse(runs: Iterable<Held>, lateMs: number): void {
    if (lateMs <= lagMostMs) return;
    for (const held of runs)
      if (held.hangsAt < Number.POSITIVE_INFINITY) this.watch(held, held.hangsAt + lateMs);
  }

  /** Its time is over, unless this timer too came so late that the whole process must have been held up. */
  overdue(held: Held, startedAt: number, runMaxMs: number, now: number): void {
    const lateMs = now - held.hangsAt;
    if (lateMs > lagMostMs) return this.watch(held, now + Math.min(lateMs, runMaxMs));
    const { model, version } = held.run;
    const reason = `a run of ${modelKey(model, versionOf(version))} hangs since ${Math.round(now - startedAt)} ms`;
    this.wants.add({ type: 'abort', cause: 'hung', reason });
  }
}
