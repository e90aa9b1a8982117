// A lean gRPC client over bare HTTP/2, for load that shares its cores with what it measures: bytes out, the status back,
// one record a call. It never ends a call by itself: the last word is the server's.
import { Connection } from './connection.js';
import { headerBlock } from './header-block.js';
import { inferPath } from './loader.js';

export interface Answer {
  /** The number of the gRPC status; empty when the connection broke. */
  readonly status: string;
  /** Of this server's table of errors; empty when it went well. */
  readonly code: string;
}

export interface Asked {
  cancel(): void;
}

export class Call implements Answer, Asked {
  status = '';
  code = '';
  /** 0 until the server has heard of it. */
  stream = 0;
  /** Of its body, what is out and what the server takes besides. */
  sent = 0;
  window = 0;
  over = false;

  constructor(
    private readonly connection: Connection,
    readonly block: Buffer,
    readonly body: Buffer,
    readonly done: (answer: Answer) => void,
  ) {}

  cancel(): void {
    this.connection.cancel(this);
  }
}

export class Asker {
  private readonly connections: readonly Connection[];
  private readonly headers: Readonly<Record<string, string>>;
  private turn = 0;
  /** Whoever asks mostly asks again with the same deadline. */
  private blockFor: number | undefined;
  private block: Buffer;

  constructor(port: number, sessions = 1) {
    this.headers = {
      ':method': 'POST',
      ':scheme': 'http',
      ':path': inferPath,
      ':authority': `127.0.0.1:${port}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    };
    this.block = headerBlock(this.headers);
    this.connections = Array.from({ length: sessions }, () => new Connection(port));
  }

  async connected(): Promise<this> {
    await Promise.all(this.connections.map(({ ready }) => ready));
    return this;
  }

  /** `body` is framed already; without a deadline none is sent. */
  ask(body: Buffer, deadlineMs: number | undefined, done: (answer: Answer) => void): Asked {
    if (deadlineMs !== this.blockFor) {
      const timeout = deadlineMs === undefined ? {} : { 'grpc-timeout': timeoutOf(deadlineMs) };
      this.block = headerBlock({ ...this.headers, ...timeout });
      this.blockFor = deadlineMs;
    }
    const connection = this.connections[this.turn++ % this.connections.length] as Connection;
    const call = new Call(connection, this.block, body, done);
    connection.ask(call);
    return call;
  }

  /** As a client does that dies: no goodbye, its calls left open. */
  break(): void {
    for (const connection of this.connections) connection.break();
  }
}

/** gRPC takes eight digits. */
function timeoutOf(deadlineMs: number): string {
  const us = Math.round(deadlineMs * 1000);
  return us < 1e8 ? `${us}u` : `${Math.round(deadlineMs)}m`;
}
