// A cable where the system has none to pull: it stands between whoever dials and whoever listens, over TCP, and holds back
// what goes through, in one direction or both, until it is healed. Nothing is lost in it or changes places.
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Seen from whoever dials. */
export type Direction = 'there' | 'back';

/** What goes one way through one connection, in its order. */
interface Way {
  readonly direction: Direction;
  readonly from: Socket;
  readonly to: Socket;
  readonly held: Buffer[];
}

export class Relay {
  private readonly server: Server;
  private readonly target: { readonly host: string; readonly port: number };
  private readonly cut = new Set<Direction>();
  private readonly ways = new Set<Way>();
  private waiting: Socket[] = [];

  private constructor(target: Relay['target']) {
    this.target = target;
    this.server = createServer((socket) => this.take(socket));
  }

  static async to(target: { host: string; port: number }, host = '127.0.0.1'): Promise<Relay> {
    const relay = new Relay(target);
    await new Promise<void>((resolve, reject) => {
      relay.server.once('error', reject);
      relay.server.listen(0, host, resolve);
    });
    return relay;
  }

  get endpoint(): string {
    const { address, port } = this.server.address() as AddressInfo;
    return `tcp://${address}:${port}`;
  }

  sever(...directions: readonly Direction[]): void {
    for (const direction of directions) this.cut.add(direction);
  }

  heal(): void {
    this.cut.clear();
    const { waiting } = this;
    this.waiting = [];
    for (const socket of waiting) this.join(socket);
    for (const way of this.ways) this.pass(way);
  }

  async close(): Promise<void> {
    for (const { from } of this.ways) from.destroy();
    for (const socket of this.waiting) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take(socket: Socket): void {
    socket.on('error', () => {});
    if (this.cut.size === 0) this.join(socket);
    else this.waiting.push(socket);
  }

  private join(dialler: Socket): void {
    if (dialler.destroyed) return;
    const listener = connect(this.target);
    this.lead('there', dialler, listener);
    this.lead('back', listener, dialler);
  }

  private lead(direction: Direction, from: Socket, to: Socket): void {
    const way: Way = { direction, from, to, held: [] };
    this.ways.add(way);
    from.setNoDelay(true);
    from.on('data', (bytes: Buffer) => {
      way.held.push(bytes);
      this.pass(way);
    });
    from.on('error', () => {});
    // That one side has gone is no more heard of through a cut than anything else.
    from.on('close', () => {
      this.ways.delete(way);
      if (!this.cut.has(direction)) to.destroy();
    });
  }

  private pass({ direction, to, held }: Way): void {
    if (!this.cut.has(direction)) for (const bytes of held.splice(0)) to.write(bytes);
  }
}
