// The connections of the REST door, so that they can be left without an error for anybody: from a first word on each answer is
// the last of its connection, then nobody is let in any more, and those on which nothing is under way are ended.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { now, pause, settle } from '../../clock.js';

interface Connection {
  readonly since: number;
  /** Of requests that have not been answered yet, in the order in which they came. */
  readonly exchanges: Map<ServerResponse, IncomingMessage>;
  /** What it had read when its last answer was over. More is the beginning of a request. */
  answeredBytes: number;
}

/** Whoever has connected asks within so long, or did not connect to ask. */
const newcomerMs = 200;
const lookMs = 10;
const turnsMost = 100;

export class Connections {
  private readonly server: Server;
  private readonly bySocket = new Map<Socket, Connection>();
  /** Of those that were ever let in. */
  private count = 0;
  private isParting = false;
  private closing: Promise<void> | undefined;

  constructor(server: Server) {
    this.server = server;
    server.on('connection', (socket: Socket) => {
      this.count++;
      this.bySocket.set(socket, { since: now(), exchanges: new Map(), answeredBytes: 0 });
      socket.once('close', () => this.bySocket.delete(socket));
    });
  }

  /** Before anything is answered. */
  began(request: IncomingMessage, response: ServerResponse): void {
    if (this.isParting) response.shouldKeepAlive = false;
    const { socket } = request;
    const connection = this.bySocket.get(socket);
    if (connection === undefined) return;
    connection.exchanges.set(response, request);
    response.once('close', () => {
      connection.exchanges.delete(response);
      connection.answeredBytes = socket.bytesRead;
    });
  }

  /** Also of what has been asked already. */
  part(): void {
    this.isParting = true;
    for (const { exchanges } of this.bySocket.values())
      for (const response of exchanges.keys()) if (!response.headersSent) response.shouldKeepAlive = false;
  }

  /** Nobody is let in any more. Resolves when no connection is left. */
  close(): Promise<void> {
    this.closing ??= new Promise<void>((resolve) => {
      // Not node:http's own, which takes a connection for idle whose answer is still on its way out.
      NetServer.prototype.close.call(this.server, () => resolve());
    });
    return this.closing;
  }

  /** Resolves when all that had been asked or was being asked is here, or after `graceMs`. */
  async shut(graceMs: number): Promise<void> {
    this.part();
    const last = now() + graceMs;
    // Whoever has connected and is not let in yet would be reset with the door: it is closed in a turn in which nobody came.
    for (let turn = 0, before = -1; turn < turnsMost && before !== this.count; turn++) {
      before = this.count;
      await this.turn();
    }
    void this.close();
    await this.turn();
    while (this.sweep() && now() < last) {
      await pause(lookMs);
      await this.turn();
    }
  }

  /** What has come in by now is read then. */
  private turn(): Promise<void> {
    return new Promise((resolve) => settle(resolve));
  }

  /** Whether somebody may be about to ask. */
  private sweep(): boolean {
    let isComing = false;
    for (const [socket, { since, exchanges, answeredBytes }] of this.bySocket) {
      const isAsking =
        exchanges.size === 0
          ? socket.bytesRead > answeredBytes || (answeredBytes === 0 && now() - since < newcomerMs)
          : [...exchanges.values()].some((request) => !request.complete);
      if (isAsking) isComing = true;
      else if (exchanges.size === 0) socket.destroySoon();
    }
    return isComing;
  }
}
