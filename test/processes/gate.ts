// A way to a server that can be shut: whoever came through it is cut off and reaches nobody, until it is opened again.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export class Gate {
  private readonly server = createServer((caller) => this.pass(caller));
  private readonly sockets = new Set<Socket>();
  private readonly target: number;
  private isShut = false;

  constructor(target: number) {
    this.target = target;
  }

  async open(): Promise<this> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  shut(): void {
    this.isShut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  unshut(): void {
    this.isShut = false;
  }

  close(): void {
    this.shut();
    this.server.close();
  }

  private pass(caller: Socket): void {
    if (this.isShut) return void caller.destroy();
    const called = connect(this.target, '127.0.0.1');
    for (const [one, other] of [
      [caller, called],
      [called, caller],
    ] as const) {
      this.sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
    }
  }
}
