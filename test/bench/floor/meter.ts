// What a node's processes cost over a stretch of time, and how much of that computes.
import { cpuMsOf, threadsCpuMsOf } from '../../processes/proc.js';

export class Meter {
  private readonly pids: readonly number[];
  private readonly workerPids: readonly number[];
  private cpuMs = 0;
  private threads: ReturnType<typeof threadsCpuMsOf>[] = [];

  constructor(routerPid: number, workerPids: readonly number[]) {
    this.pids = [routerPid, ...workerPids];
    this.workerPids = workerPids;
  }

  start(): void {
    this.cpuMs = cpuMsOf(this.pids);
    this.threads = this.workerPids.map(threadsCpuMsOf);
  }

  spentMs(): number {
    return cpuMsOf(this.pids) - this.cpuMs;
  }

  /** All other threads ÷ those that compute. */
  besideCompute(): number {
    return this.spentMs() / this.computedMs() - 1;
  }

  /** The thread of each worker that has cost most is the one that computes. */
  private computedMs(): number {
    return this.workerPids.reduce((sum, pid, at) => {
      const before = this.threads[at];
      const spent = [...threadsCpuMsOf(pid)].map(([thread, ms]) => ms - (before?.get(thread) ?? 0));
      return sum + Math.max(...spent);
    }, 0);
  }
}
