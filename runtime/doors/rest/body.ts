// Reads the body of a request: bounded in size before anything is allocated, and in time.
import type { IncomingMessage } from 'node:http';
import { SignalboxError } from '../../../proto/errors.js';
import { after } from '../../clock.js';
import type { DoorOptions } from '../door.js';
import { encodingOf, unpack } from './encoding.js';

type Read = (body: Buffer) => void;
type Refuse = (fault: SignalboxError) => void;

const empty = Buffer.alloc(0);

/** Calls one of the two, once; neither when the client goes away in the middle. */
export function readBody(request: IncomingMessage, options: DoorOptions, read: Read, refuse: Refuse): void {
  const encoding = encodingOf(request.headers['content-encoding']);
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > options.requestBytesMax) {
    refuse(tooLarge(`${declared} bytes`, options));
    return;
  }
  collect(request, options, refuse, (body) => {
    if (encoding === undefined) {
      read(body);
      return;
    }
    if (body.length === 0) {
      refuse(new SignalboxError('INPUT_INVALID', `the body is empty, its Content-Encoding says ${encoding}`));
      return;
    }
    unpack(body, encoding, options.requestBytesMax, (result) => {
      if (Buffer.isBuffer(result)) read(result);
      else refuse(result);
    });
  });
}

function collect(request: IncomingMessage, options: DoorOptions, refuse: Refuse, read: Read): void {
  let first: Buffer | undefined;
  let parts: Buffer[] | undefined;
  let size = 0;
  let over = false;
  const timer = after(options.bodyTimeoutMs, () => stop(late(size, request, options)), false);

  function stop(fault: SignalboxError): void {
    if (over) return;
    over = true;
    timer.cancel();
    first = undefined;
    parts = undefined;
    refuse(fault);
  }

  request.on('data', (part: Buffer) => {
    if (over) return;
    size += part.length;
    if (size > options.requestBytesMax) stop(tooLarge('more', options));
    else if (first === undefined) first = part;
    else {
      parts ??= [first];
      parts.push(part);
    }
  });
  request.on('end', () => {
    if (over) return;
    over = true;
    timer.cancel();
    read(parts === undefined ? (first ?? empty) : Buffer.concat(parts, size));
  });
  // A body that breaks off is answered where the connection's faults are.
  request.on('error', () => timer.cancel());
  request.on('close', () => timer.cancel());
}

function tooLarge(given: string, options: DoorOptions): SignalboxError {
  return new SignalboxError(
    'PAYLOAD_TOO_LARGE',
    `the body has ${given}, wanted are at most ${options.requestBytesMax} bytes (requestBytesMax)`,
  );
}

function late(size: number, request: IncomingMessage, options: DoorOptions): SignalboxError {
  const declared = request.headers['content-length'];
  const of = declared === undefined ? '' : ` of ${declared}`;
  return new SignalboxError(
    'BODY_LATE',
    `${size} bytes${of} of the body came within ${options.bodyTimeoutMs} ms (bodyWaitMs): the rest was not waited for`,
  );
}
