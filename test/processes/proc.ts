// What the system says of processes: who is whose child, who lives, what they cost. Read from /proc, so Linux only.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

interface Stat {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  /** User and system time, of all threads. */
  readonly cpuMs: number;
}

const msPerTick = 10;

function statOf(pid: number, file = `/proc/${pid}/stat`): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const cpuMs = (Number(fields[11]) + Number(fields[12])) * msPerTick;
  return { pid, state: fields[0] ?? '', parent: Number(fields[1]), cpuMs };
}

export function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((stat) => stat !== undefined)
    .filter((stat) => stat.parent === parent && stat.state !== 'Z')
    .map((stat) => stat.pid);
}

/** False for a zombie: it holds nothing any more. */
export function isAlive(pid: number): boolean {
  const state = statOf(pid)?.state;
  return state !== undefined && state !== 'Z' && state !== 'X';
}

export function cpuMsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (statOf(pid)?.cpuMs ?? 0), 0);
}

/** What each thread of a process has cost, by the thread's number. */
export function threadsCpuMsOf(pid: number): ReadonlyMap<number, number> {
  const threads = readdirSync(`/proc/${pid}/task`).map(Number);
  return new Map(
    threads.map((thread) => [thread, statOf(thread, `/proc/${pid}/task/${thread}/stat`)?.cpuMs ?? 0]),
  );
}

/** How long a thread stood ready and had no core; by default the main one. */
export function waitedMs(pid: number, thread = pid): number {
  const [, waitedNs] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ');
  return Number(waitedNs) / 1e6;
}

/** Megabytes, shared pages counted in proportion. */
export function memoryMbOf(pids: readonly number[]): number {
  let kilobytes = 0;
  for (const pid of pids) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    kilobytes += Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0);
  }
  return kilobytes / 1024;
}

/** The most memory that a process has had, all its threads together; NaN where the system does not tell. */
export function peakMbOf(pid: number): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return Number(kilobytes) / 1000;
  } catch {
    return Number.NaN;
  }
}

/** From here on the peak is counted anew; false where the system can't. */
export function forgetPeak(pid: number): boolean {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
    return true;
  } catch {
    return false;
  }
}

/** The arguments that a process was started with; empty when it is gone. */
export function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

/** Processes with an argument that has this in it. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && argumentsOf(pid).some((argument) => argument.includes(text)));
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone, which is what a signal to it could bring about at most.
  }
}
