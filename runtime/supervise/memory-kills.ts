// Whether the kernel has just ended a process of ours for want of memory. It says so only as a count: of our own control
// group where there is one, else of the whole machine; so a rise counts only when it is fresh.
import { readFileSync } from 'node:fs';
import { after, now } from '../clock.js';

const lookEveryMs = 500;

export class MemoryKills {
  private readonly source = findSource();
  private count = this.read();
  private roseAt = Number.NEGATIVE_INFINITY;

  constructor() {
    this.lookAgain();
  }

  /** True when the count rose within the last moments. */
  justNow(): boolean {
    this.look();
    return now() - this.roseAt <= lookEveryMs * 2;
  }

  private look(): void {
    const count = this.read();
    if (count > this.count) this.roseAt = now();
    this.count = count;
  }

  private lookAgain(): void {
    after(
      lookEveryMs,
      () => {
        this.look();
        this.lookAgain();
      },
      false,
    );
  }

  private read(): number {
    return Number(/^oom_kill (\d+)$/m.exec(contentOf(this.source))?.[1] ?? 0);
  }
}

function findSource(): string {
  const group = /^0::(\/.*)$/m.exec(contentOf('/proc/self/cgroup'))?.[1];
  const ofGroup = `/sys/fs/cgroup${group === '/' ? '' : (group ?? '')}/memory.events`;
  return group !== undefined && contentOf(ofGroup) !== '' ? ofGroup : '/proc/vmstat';
}

/** Empty where there is no such file, as on systems without these counts. */
function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
