// The latest jobs in writing, for those that did not end well and are to be known for longer: bytes in pages that stay where
// they are. Kept as objects they would grow old, and under a flood of refusals the garbage collector would stop everything
// for tens of milliseconds to take them away.
import type { Reply } from '../../actors/effects.js';
import type { JobNumber } from '../../proto/ids.js';
import type { JobEnd, JobSpec, JobTimes } from '../../proto/job.js';
import type { Asked, Ended } from './journal.js';
import { Ring } from './ring.js';

/** Room for a usual story; a longer one gets room of its own. */
const lineBytes = 1024;
/** No character takes more. */
const bytesPerCharacter = 3;

type Line = Omit<Ended, 'record' | 'times'> & {
  readonly path: ReturnType<Reply['record']['path']>;
  readonly times: JobTimes | null;
};

export class Written extends Ring {
  private page = Buffer.alloc(0);
  private readonly lengths: number[] = [];
  private readonly long = new Map<number, string>();

  keep(
    order: number,
    number: JobNumber,
    spec: JobSpec,
    end: JobEnd,
    record: Reply['record'],
    times: JobTimes | undefined,
    endedAt: number,
  ): void {
    if (this.size === 0) return;
    if (this.page.length === 0) this.page = Buffer.allocUnsafeSlow(this.size * lineBytes);
    const { model, version, rows, bytes, priority, budgetMs } = spec;
    const asked: Asked = { model, version, rows, bytes, priority, budgetMs };
    const path = record.path();
    const line: Line = { order, number, spec: asked, end, path, times: times ?? null, endedAt };
    this.write(this.place(number), JSON.stringify(line));
  }

  private write(at: number, line: string): void {
    this.long.delete(at);
    if (line.length * bytesPerCharacter > lineBytes && Buffer.byteLength(line) > lineBytes) {
      this.long.set(at, line);
      return;
    }
    this.lengths[at] = this.page.write(line, at * lineBytes);
  }

  protected at(at: number): Ended {
    const from = at * lineBytes;
    const text = this.long.get(at) ?? this.page.toString('utf8', from, from + (this.lengths[at] as number));
    const { path, times, ...rest } = JSON.parse(text) as Line;
    return { ...rest, record: { path: () => path }, times: times ?? undefined };
  }
}
