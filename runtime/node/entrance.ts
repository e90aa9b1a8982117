// The doors of a node, as one: opened together, and left in an order in which no client is sent away that could be answered.
import type { Config } from '../config/schema.js';
import type { Door } from '../doors/door.js';
import { type Condition, createHealthDoor } from '../doors/health.js';
import type { Log } from '../log.js';
import type { NodeEngine } from './engine.js';
import { doorOptions } from './wiring.js';

export class Entrance {
  private readonly config: Config;
  private readonly log: Log;
  private doors: readonly Door[] = [];
  private health: Door | undefined;
  private readonly ports: string[] = [];

  constructor(config: Config, log: Log) {
    this.config = config;
    this.log = log;
  }

  async open(engine: NodeEngine): Promise<void> {
    const { config, log } = this;
    const options = doorOptions(config);
    // Loaded only by who opens them: what a process has in memory is what the others wait for when it is killed.
    const [{ createRestDoor }, { createGrpcDoor }] = await Promise.all([
      import('../doors/rest/door.js'),
      import('../doors/grpc/door.js'),
    ]);
    const named = [
      { name: 'rest', door: createRestDoor(engine, { ...options, port: config.httpPort }, log) },
      { name: 'grpc', door: createGrpcDoor(engine, { ...options, port: config.grpcPort }, log) },
    ];
    this.doors = named.map(({ door }) => door);
    for (const { name, door } of named) {
      const { port } = await door.start();
      this.ports.push(`${name} ${config.host}:${port}`);
      log.info('door.opened', { door: name, host: config.host, port });
    }
  }

  /** First of all, and the last that is closed: while the node starts and stops, probes hear so. */
  async openHealth(look: () => Condition): Promise<void> {
    const { host, healthPort } = this.config;
    if (healthPort < 0) return;
    this.health = createHealthDoor(look, { host, port: healthPort }, this.log);
    const { port } = await this.health.start();
    this.log.info('door.opened', { door: 'health', host, port });
  }

  async closeHealth(): Promise<void> {
    await this.health?.stop(0);
  }

  /** Where it is, for people. */
  about(): string {
    return this.ports.join(', ');
  }

  /** What comes is answered still, and clients are to come by other connections from now on. */
  part(): void {
    for (const door of this.doors) door.part?.();
  }

  /** Nobody is to come any more. Resolves when all that did has been heard, or after `graceMs`. */
  async shut(graceMs: number): Promise<void> {
    await Promise.all(this.doors.map((door) => door.shut?.(graceMs)));
  }

  async close(graceMs: number): Promise<void> {
    await Promise.all(this.doors.map((door) => door.stop(graceMs)));
  }
}
