// The way to the HTTP/2 server under a grpc-js server, which declares none: for what only that server can be told.
import type { Http2Server } from 'node:http2';

interface Inside {
  _setupHandlers?(server: Http2Server, ...rest: readonly unknown[]): unknown;
}

/**
 * Before the server listens: `prepare` is given its HTTP/2 server ahead of grpc-js. False, and nothing is done, should
 * grpc-js be made otherwise one day.
 */
export function prepareHttp2Server(server: object, prepare: (http2Server: Http2Server) => void): boolean {
  const inside = server as Inside;
  const setUp = inside._setupHandlers;
  if (setUp === undefined) return false;
  inside._setupHandlers = (http2Server, ...rest) => {
    prepare(http2Server);
    return setUp.call(inside, http2Server, ...rest);
  };
  return true;
}
