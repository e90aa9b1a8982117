// How much a client may send before it must wait to hear that more is wanted. HTTP/2 begins with 64 KB, which lets a large
// tensor come in pieces with a round trip between them; grpc-js has an option for that in its client only.
import type { Http2Server } from 'node:http2';

/** For one call, and for all calls of a connection together. */
export const windowBytes = { call: 1 << 20, connection: 4 << 20 } as const;

/** What of a grpc-js server is not declared: should it be otherwise one day, calls have the usual window. */
interface Inside {
  readonly commonServerOptions?: { settings?: object };
  _setupHandlers?(server: Http2Server, ...rest: readonly unknown[]): unknown;
}

/** Before the server listens. */
export function widenWindows(server: object): void {
  const inside = server as Inside;
  const setUp = inside._setupHandlers;
  if (inside.commonServerOptions === undefined || setUp === undefined) return;
  const { settings } = inside.commonServerOptions;
  inside.commonServerOptions.settings = { ...settings, initialWindowSize: windowBytes.call };
  inside._setupHandlers = (http2Server, ...rest) => {
    http2Server.on('session', (session) => session.setLocalWindowSize(windowBytes.connection));
    return setUp.call(inside, http2Server, ...rest);
  };
}
