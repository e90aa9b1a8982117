// Real nodes as child processes for tests and benchmarks: started with ports and sockets of their own, watched through
// their log lines, and ended for certain, also when a test fails.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { argumentsOf, childrenOf, isAlive, signal } from './proc.js';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
const main = join(root, 'dist', 'runtime', 'main.js');
const startWaitMs = 20_000;
const endWaitMs = 20_000;

export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface WorkerProcess {
  readonly pid: number;
  /** Its id in the cluster, as logs and paths name it. */
  readonly member: string;
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

/** Asks until it holds; fails with the name of what did not come. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = startWaitMs,
  everyMs = 10,
): Promise<void> {
  const last = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > last) throw new Error(`not within ${withinMs} ms: ${what}`);
    await pause(everyMs);
  }
}

/** A folder for sockets and models; short, for the path of a socket has at most 107 bytes. */
export class Scratch {
  readonly folder = mkdtempSync(join(tmpdir(), 'sb-'));
  private count = 0;

  path(name: string): string {
    return join(this.folder, name);
  }

  endpoint(): string {
    this.count++;
    return `ipc://${this.path(`${this.count}.sock`)}`;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whatever is still there when this process ends is ended with it. */
const started = new Set<RunningNode>();
process.on('exit', () => {
  for (const node of started) node.destroy();
});

export interface NodeOptions {
  /** Settings as flags without their dashes: `{ 'worker-count': 3 }`. */
  readonly flags?: Readonly<Record<string, string | number>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly nodeFlags?: readonly string[];
  /** A network namespace; only root may. */
  readonly within?: string;
}

export class RunningNode {
  readonly process: ChildProcess;
  readonly lines: LogLine[] = [];
  readonly ended: Promise<Ended>;
  output = '';
  private readonly watchers = new Set<() => void>();
  private exit: Ended | undefined;
  private workersSeen: number[] = [];

  constructor({ flags = {}, environment = {}, nodeFlags = [], within }: NodeOptions) {
    const given = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const words = [process.execPath, ...nodeFlags, main, ...given];
    const [command = '', ...args] = within === undefined ? words : ['ip', 'netns', 'exec', within, ...words];
    this.process = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...environment },
    });
    started.add(this);
    this.read();
    this.ended = new Promise((resolve) => {
      this.process.once('close', (code, signalName) => {
        this.exit = { code, signal: signalName };
        this.wake();
        resolve(this.exit);
      });
    });
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  get httpPort(): number {
    return this.port('rest');
  }

  get grpcPort(): number {
    return this.port('grpc');
  }

  /** Resolves with the first log line that fits, past or to come. */
  line(fits: (line: LogLine) => boolean, what: string, withinMs = startWaitMs): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(late);
        this.watchers.delete(look);
        settle();
      };
      const look = (): void => {
        const found = this.lines.find(fits);
        if (found !== undefined) finish(() => resolve(found));
        else if (this.exit !== undefined) {
          finish(() => reject(new Error(`it ended before ${what}: ${this.tail()}`)));
        }
      };
      const late = setTimeout(() => {
        finish(() => reject(new Error(`not within ${withinMs} ms: ${what}; it said: ${this.tail()}`)));
      }, withinMs);
      this.watchers.add(look);
      look();
    });
  }

  event(name: string, withinMs = startWaitMs): Promise<LogLine> {
    return this.line((line) => line.event === name, name, withinMs);
  }

  /** Serving and, where it has a door, ready by its own word. */
  async ready(withinMs = startWaitMs): Promise<this> {
    await this.event('node.serving', withinMs);
    if (this.lines.some(({ event, door }) => event === 'door.opened' && door === 'rest')) {
      await until(`ready (${this.tail()})`, () => this.isReady(), withinMs);
    }
    return this;
  }

  async isReady(): Promise<boolean> {
    const answer = await fetch(`${this.url}/v2/health/ready`).catch(() => undefined);
    await answer?.arrayBuffer();
    return answer?.status === 200;
  }

  /** What its REST door says there. */
  async get(path: string): Promise<unknown> {
    return (await fetch(`${this.url}${path}`)).json();
  }

  /** Its REST door. */
  get url(): string {
    const host = this.lines.find((line) => line.event === 'door.opened')?.host;
    return `http://${host ?? '127.0.0.1'}:${this.httpPort}`;
  }

  workers(): WorkerProcess[] {
    const workers = childrenOf(this.pid).flatMap((pid) => {
      const [, script = '', order = ''] = argumentsOf(pid);
      if (!script.endsWith('worker/main.js')) return [];
      return [{ pid, member: (JSON.parse(order) as { member: string }).member }];
    });
    this.workersSeen.push(...workers.map((worker) => worker.pid));
    return workers;
  }

  signal(name: NodeJS.Signals): void {
    signal(this.pid, name);
  }

  /** Ends it as a person would. */
  async stop(name: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    if (this.exit === undefined) this.signal(name);
    const late = setTimeout(() => this.destroy(), endWaitMs);
    const ended = await this.ended;
    clearTimeout(late);
    started.delete(this);
    return ended;
  }

  /** Ends it at once with all its workers, stopped ones too. */
  destroy(): void {
    const workers = this.exit === undefined ? this.workers() : [];
    this.signal('SIGKILL');
    const own = this.workersSeen.filter((pid) => argumentsOf(pid)[1]?.endsWith('worker/main.js') === true);
    for (const pid of [...workers.map((worker) => worker.pid), ...own]) signal(pid, 'SIGKILL');
    started.delete(this);
  }

  /** For the end of a test: destroys it and waits until nothing of it lives. */
  async dispose(): Promise<void> {
    this.destroy();
    await this.ended;
    await until('its workers are gone', () => !this.workersSeen.some(isOurs), endWaitMs);
  }

  tail(): string {
    return this.output.slice(-1500);
  }

  private port(door: string): number {
    const opened = this.lines.find((line) => line.event === 'door.opened' && line.door === door);
    if (opened === undefined) throw new Error(`it has opened no ${door} door: ${this.tail()}`);
    return opened.port as number;
  }

  private read(): void {
    let rest = '';
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output = (this.output + text).slice(-100_000);
      const parts = (rest + text).split('\n');
      rest = parts.pop() as string;
      for (const part of parts) {
        if (part.startsWith('{')) this.lines.push(JSON.parse(part) as LogLine);
      }
      this.wake();
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.output = (this.output + text).slice(-100_000);
    });
  }

  private wake(): void {
    for (const watcher of [...this.watchers]) watcher();
  }
}

function isOurs(pid: number): boolean {
  return isAlive(pid) && argumentsOf(pid)[1]?.endsWith('worker/main.js') === true;
}

let clusters = 0;

/** Flags that let a node run beside any other: ports and a socket of its own, a cluster of its own. */
export function apart(scratch: Scratch, models: string): Record<string, string | number> {
  clusters++;
  return {
    'http-port': 0,
    'grpc-port': 0,
    cluster: `test-${process.pid}-${clusters}`,
    endpoint: scratch.endpoint(),
    models,
  };
}

export function startNode(flags: Readonly<Record<string, string | number>>): Promise<RunningNode> {
  return new RunningNode({ flags }).ready();
}
