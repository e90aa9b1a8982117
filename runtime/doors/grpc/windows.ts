// How much a client may send before it must wait to hear that more is wanted. HTTP/2 begins with 64 KB, which lets a large
// tensor come in pieces with a round trip between them; grpc-js has an option for that in its client only.
import { prepareHttp2Server } from './http2-server.js';

/** For one call, and for all calls of a connection together. */
export const windowBytes = { call: 1 << 20, connection: 4 << 20 } as const;

/** What of a grpc-js server is not declared: should it be otherwise one day, calls have the usual window. */
interface Inside {
  readonly commonServerOptions?: { settings?: object };
}

/** Before the server listens. */
export function widenWindows(server: object): void {
  const { commonServerOptions } = server as Inside;
  if (commonServerOptions === undefined) return;
  const isPrepared = prepareHttp2Server(server, (http2Server) => {
    http2Server.on('session', (session) => session.setLocalWindowSize(windowBytes.connection));
  });
  if (!isPrepared) return;
  commonServerOptions.settings = { ...commonServerOptions.settings, initialWindowSize: windowBytes.call };
}
