// Shortens deadlines of more than 24.8 days before grpc-js reads them: it counts their milliseconds in 32 bits and timers
// hold no more, so a client that grants a month would be told at once that its time is up.
import type { Http2Server } from 'node:http2';

const header = 'grpc-timeout';
const millisecondsMax = 2 ** 31 - 1;
/** 23 days: beyond the longest deadline that a configuration can allow, and within 32 bits. */
const longest = '2000000S';
const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1 };

/** What of a grpc-js server is not declared: should it be otherwise one day, such deadlines are what it makes of them. */
interface Inside {
  _setupHandlers?(server: Http2Server, ...rest: readonly unknown[]): unknown;
}

/** Before the server listens. */
export function cutLongDeadlines(server: object): void {
  const inside = server as Inside;
  const setUp = inside._setupHandlers;
  if (setUp === undefined) return;
  inside._setupHandlers = (http2Server, ...rest) => {
    http2Server.on('stream', (_, headers) => {
      const given = headers[header];
      if (typeof given === 'string') headers[header] = cutTimeout(given);
    });
    return setUp.call(inside, http2Server, ...rest);
  };
}

/** The same where it is short enough, or none that the protocol knows. */
export function cutTimeout(given: string): string {
  const unit = unitMs[given.charAt(given.length - 1)];
  if (unit === undefined) return given;
  return Number(given.slice(0, -1)) * unit > millisecondsMax ? longest : given;
}
