// A lean gRPC client over bare HTTP/2, for load that shares its cores with what it measures: bytes out, the status back.
// It never ends a call by itself: the last word is the server's.
import { type ClientHttp2Session, connect } from 'node:http2';
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

const cancelled = 8;

export class Asker {
  private readonly sessions: readonly ClientHttp2Session[];
  private turn = 0;

  constructor(port: number, sessions = 1) {
    this.sessions = Array.from({ length: sessions }, () => {
      const session = connect(`http://127.0.0.1:${port}`);
      session.on('error', () => {});
      return session;
    });
  }

  async connected(): Promise<this> {
    await Promise.all(
      this.sessions.map((session) => new Promise((resolve) => session.once('connect', resolve))),
    );
    return this;
  }

  /** `body` is framed already; without a deadline none is sent. */
  ask(body: Buffer, deadlineMs: number | undefined, done: (answer: Answer) => void): Asked {
    const session = this.sessions[this.turn++ % this.sessions.length] as ClientHttp2Session;
    const stream = session.request({
      ':method': 'POST',
      ':path': inferPath,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(deadlineMs === undefined ? {} : { 'grpc-timeout': `${Math.round(deadlineMs * 1000)}u` }),
    });
    let status = '';
    let code = '';
    const read = (given: Record<string, unknown>): void => {
      status = String(given['grpc-status'] ?? status);
      code = String(given['signalbox-code'] ?? code);
    };
    stream.on('response', read);
    stream.on('trailers', read);
    stream.on('error', () => {});
    stream.on('close', () => done({ status, code }));
    stream.resume();
    stream.end(body);
    return { cancel: () => stream.close(cancelled) };
  }

  /** As a client does that dies: no goodbye, its calls left open. */
  break(): void {
    for (const session of this.sessions) session.destroy();
  }
}
