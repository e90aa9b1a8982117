// The REST door: node:http, one handler, and answers in our shape also for what never becomes a request.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ErrorCode, errors } from '../../../proto/errors.js';
import { type Door, type DoorLog, type DoorOptions, listenFault } from '../door.js';
import type { Engine } from '../engine.js';
import { Flight, within } from '../flight.js';
import { Models } from '../models.js';
import { Connections } from './connections.js';
import { Exchange } from './exchange.js';
import type { Floor } from './infer.js';
import { serve } from './routes.js';

const keepAliveMs = 60_000;
const headerBytesMax = 32_768;
const checkMs = 1000;

export function createRestDoor(engine: Engine, options: DoorOptions, log: DoorLog): Door {
  const floor: Floor = { engine, options, log, models: new Models(engine), flight: new Flight() };
  const server = createServer({
    maxHeaderSize: headerBytesMax,
    headersTimeout: options.bodyTimeoutMs,
    // The body has a timer of its own.
    requestTimeout: 0,
    connectionsCheckingInterval: checkMs,
    keepAliveTimeout: keepAliveMs,
    noDelay: true,
  });
  const connections = new Connections(server);
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    connections.began(request, response);
    serve(floor, new Exchange(request, response, options));
  };
  server.on('request', handle);
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared <= options.requestBytesMax) response.writeContinue();
    handle(request, response);
  });
  server.on('clientError', answerFault);
  return {
    start: () => listen(server, options, log),
    part: () => connections.part(),
    shut: (graceMs) => connections.shut(graceMs),
    stop: (graceMs) => stop(server, connections.close(), floor, graceMs),
  };
}

function listen(server: Server, options: DoorOptions, log: DoorLog): Promise<{ port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', (fault) => reject(listenFault(fault, options.host, options.port, '--http-port')));
    server.listen(options.port, options.host, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : options.port;
      server.removeAllListeners('error');
      server.on('error', (fault) => log.error('door.failed', { door: 'rest', error: fault.message }));
      resolve({ port });
    });
  });
}

async function stop(server: Server, closed: Promise<void>, floor: Floor, graceMs: number): Promise<void> {
  await within(Promise.race([closed, floor.flight.landed(graceMs)]), graceMs);
  server.closeIdleConnections();
  await within(closed, 100);
  server.closeAllConnections();
  await closed;
}

/** What the HTTP parser refuses: no request object exists, so the answer is written by hand. */
function answerFault(fault: NodeJS.ErrnoException, socket: Duplex): void {
  if (fault.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [code, sentence] = meaningOf(fault);
  const body = JSON.stringify({ error: sentence });
  const status = fault.code === 'HPE_HEADER_OVERFLOW' ? 431 : errors[code].http;
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nSignalbox-Code: ${code}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function meaningOf(fault: NodeJS.ErrnoException): [ErrorCode, string] {
  switch (fault.code) {
    case 'HPE_HEADER_OVERFLOW':
      return ['INPUT_INVALID', `the headers have more than ${headerBytesMax} bytes`];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['BODY_LATE', 'the headers of the request did not arrive in time'];
    case 'HPE_INVALID_EOF_STATE':
      return ['INPUT_INVALID', 'the connection was ended in the middle of a request'];
    default:
      return ['INPUT_INVALID', `this is no HTTP request: ${fault.message}`];
  }
}
