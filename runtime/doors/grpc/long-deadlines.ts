// Shortens deadlines of more than 24.8 days before grpc-js reads them: it counts their milliseconds in 32 bits and timers
// hold no more, so a client that grants a month would be told at once that its time is up.
import { prepareHttp2Server } from './http2-server.js';

const header = 'grpc-timeout';
const millisecondsMax = 2 ** 31 - 1;
/** 23 days: beyond the longest deadline that a configuration can allow, and within 32 bits. */
const longest = '2000000S';
const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1 };

/** Before the server listens. Where that can't be done, such deadlines are what grpc-js makes of them. */
export function cutLongDeadlines(server: object): void {
  prepareHttp2Server(server, (http2Server) => {
    http2Server.on('stream', (_, headers) => {
      const given = headers[header];
      if (typeof given === 'string') headers[header] = cutTimeout(given);
    });
  });
}

/** The same where it is short enough, or none that the protocol knows. */
export function cutTimeout(given: string): string {
  const unit = unitMs[given.charAt(given.length - 1)];
  if (unit === undefined) return given;
  return Number(given.slice(0, -1)) * unit > millisecondsMax ? longest : given;
}
