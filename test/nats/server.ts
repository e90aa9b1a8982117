// A real nats-server with JetStream as a child process, on loopback and with a folder of its own: started, killed, brought
// back on the same port, with its data or without.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const startWaitMs = 20_000;
const endWaitMs = 10_000;

export interface ServerOptions {
  readonly executable: string;
  readonly name: string;
  readonly folder: string;
  readonly port: number;
  /** Loopback where nothing else is said. */
  readonly host?: string;
  /** More lines of its configuration, such as who may come in. */
  readonly lines?: readonly string[];
  /** Room for what JetStream keeps; all of the disk where nothing is said. */
  readonly fileBytesMax?: number;
  /** As a node of a cluster: where it meets the others. */
  readonly cluster?: { readonly port: number; readonly routes: readonly number[] };
}

/** Whatever is still there when this process ends is ended with it. */
const started = new Set<NatsServer>();
process.on('exit', () => {
  for (const server of started) server.kill();
});

export class NatsServer {
  options: ServerOptions;
  private process: ChildProcess | undefined;
  private output = '';
  private ended: Promise<void> = Promise.resolve();
  private heard: () => void = () => {};

  constructor(options: ServerOptions) {
    this.options = options;
  }

  get url(): string {
    return `nats://${this.options.host ?? '127.0.0.1'}:${this.options.port}`;
  }

  get pid(): number {
    return this.process?.pid ?? 0;
  }

  /** Resolves when it takes connections; a node of a cluster may not have found the others then. */
  async start(): Promise<void> {
    const { executable, folder } = this.options;
    mkdirSync(folder, { recursive: true });
    const file = this.configure();
    const child = spawn(executable, ['-c', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.process = child;
    started.add(this);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output = (this.output + text).slice(-100_000);
        this.heard();
      });
    }
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        started.delete(this);
        this.process = undefined;
        this.heard();
        resolve();
      };
      child.once('exit', end);
      child.once('error', (fault) => {
        this.output += fault.message;
        end();
      });
    });
    await this.says(/Server is ready/);
  }

  /** Goes by these lines from now on, while it runs. */
  async reload(lines: readonly string[]): Promise<void> {
    this.options = { ...this.options, lines };
    this.configure();
    this.signal('SIGHUP');
    await this.says(/Reloaded server configuration/);
  }

  private configure(): string {
    const file = join(this.options.folder, 'nats.conf');
    writeFileSync(file, configurationOf(this.options));
    this.output = '';
    return file;
  }

  /** Resolves when its log has had this since it was started. */
  says(what: RegExp, withinMs = startWaitMs): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(late);
        this.heard = () => {};
        settle();
      };
      const why = (how: string): Error =>
        new Error(`${this.options.name} ${how}: ${this.output.slice(-800)}`);
      const late = setTimeout(() => finish(() => reject(why(`did not say ${what}`))), withinMs);
      this.heard = () => {
        if (what.test(this.output)) finish(resolve);
        else if (this.process === undefined) finish(() => reject(why('ended')));
      };
      this.heard();
    });
  }

  /** As a power cut would. */
  kill(): Promise<void> {
    this.process?.kill('SIGKILL');
    return this.ended;
  }

  async stop(): Promise<void> {
    const late = setTimeout(() => this.process?.kill('SIGKILL'), endWaitMs);
    this.process?.kill('SIGTERM');
    await this.ended;
    clearTimeout(late);
  }

  signal(name: NodeJS.Signals): void {
    this.process?.kill(name);
  }

  loseData(): void {
    rmSync(this.options.folder, { recursive: true, force: true });
  }
}

function configurationOf(options: ServerOptions): string {
  const { name, folder, port, host = '127.0.0.1', cluster, lines = [], fileBytesMax } = options;
  const room = fileBytesMax === undefined ? '' : `, max_file_store: ${fileBytesMax}`;
  const routes = cluster?.routes.map((route) => `nats://127.0.0.1:${route}`).join(', ');
  return [
    `server_name: ${name}`,
    `listen: "${host}:${port}"`,
    `jetstream { store_dir: ${JSON.stringify(join(folder, 'jetstream'))}${room} }`,
    ...(cluster === undefined
      ? []
      : [`cluster { name: signalbox, listen: "127.0.0.1:${cluster.port}", routes: [${routes}] }`]),
    ...lines,
    '',
  ].join('\n');
}

export async function freePort(host = '127.0.0.1'): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, host, resolve);
  });
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
