// One NATS server, or three that are a cluster: the smallest that goes on when any one of them is lost.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, isFree, NatsServer, type ServerOptions } from './server.js';

export const nodeCounts = [1, 3] as const;
export type NodeCount = (typeof nodeCounts)[number];

/** Of a cluster each says so once there is somebody to decide. */
const leaderWord = /JetStream cluster (new )?metadata leader/;

export class NatsServers {
  readonly servers: readonly NatsServer[];
  private readonly folder: string;

  private constructor(folder: string, servers: readonly NatsServer[]) {
    this.folder = folder;
    this.servers = servers;
  }

  /** `firstPort` 0 takes any that are free; else the next ones follow it. */
  static async start(
    executable: string,
    {
      nodes = 1,
      firstPort = 0,
      lines = [] as readonly string[],
      host = '127.0.0.1',
      more = {} as Pick<ServerOptions, 'fileBytesMax'>,
    }: {
      nodes?: NodeCount;
      firstPort?: number;
      lines?: readonly string[];
      host?: string;
      more?: Pick<ServerOptions, 'fileBytesMax'>;
    } = {},
  ): Promise<NatsServers> {
    const ports = await Promise.all(
      Array.from({ length: nodes }, (_, index) => (firstPort === 0 ? freePort() : firstPort + index)),
    );
    for (const port of ports) {
      if (!(await isFree(port))) throw new Error(`port ${port} is in use: choose others with --port N`);
    }
    const routes = nodes === 1 ? [] : await Promise.all(ports.map(() => freePort()));
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-nats-'));
    const servers = ports.map(
      (port, index) =>
        new NatsServer({
          executable,
          name: `nats-${index + 1}`,
          folder: join(folder, String(index + 1)),
          port,
          host,
          lines,
          ...more,
          ...(nodes === 1 ? {} : { cluster: { port: routes[index] as number, routes } }),
        }),
    );
    const all = new NatsServers(folder, servers);
    try {
      await Promise.all(servers.map((server) => server.start()));
      if (nodes > 1) await Promise.all(servers.map((server) => server.says(leaderWord)));
    } catch (fault) {
      await all.remove();
      throw fault;
    }
    return all;
  }

  get urls(): string {
    return this.servers.map((server) => server.url).join(',');
  }

  /** Ends all and leaves nothing. */
  async remove(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
