// Reads the body of a request: bounded in size before anything is allocated, and in time.
import type { IncomingMessage } from 'node:http';
import { SignalboxError } from '../../../proto/errors.js';
import { after, type Timer } from '../../clock.js';
import type { DoorOptions } from '../door.js';
import { type Encoding, encodingOf, unpack } from './encoding.js';

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
  const whole = encoding === undefined ? read : unpacked(encoding, options, read, refuse);
  new Collector(request, options, whole, refuse).begin(declared);
}

function unpacked(encoding: Encoding, options: DoorOptions, read: Read, refuse: Refuse): Read {
  return (body) => {
    if (body.length === 0) {
      refuse(new SignalboxError('INPUT_INVALID', `the body is empty, its Content-Encoding says ${encoding}`));
      return;
    }
    unpack(body, encoding, options.requestBytesMax, (result) => {
      if (Buffer.isBuffer(result)) read(result);
      else refuse(result);
    });
  };
}

/** Puts together what comes of a body, as long as it comes in time. */
class Collector {
  readonly #request: IncomingMessage;
  readonly #options: DoorOptions;
  readonly #read: Read;
  readonly #refuse: Refuse;
  #first: Buffer | undefined;
  #parts: Buffer[] | undefined;
  #size = 0;
  #isOver = false;
  #timer: Timer | undefined;

  constructor(request: IncomingMessage, options: DoorOptions, read: Read, refuse: Refuse) {
    this.#request = request;
    this.#options = options;
    this.#read = read;
    this.#refuse = refuse;
  }

  /** Most bodies come together with their head and need no watch: that begins where nothing came so soon. */
  begin(declared: number): void {
    this.#request.on('data', (part: Buffer) => this.#take(part, declared));
    if (declared > 0) process.nextTick(() => this.#watch());
    else this.#watch();
  }

  #take(part: Buffer, declared: number): void {
    if (this.#isOver) return;
    this.#size += part.length;
    if (this.#size > this.#options.requestBytesMax) return this.#stop(tooLarge('more', this.#options));
    if (this.#first === undefined) this.#first = part;
    else {
      this.#parts ??= [this.#first];
      this.#parts.push(part);
    }
    if (this.#size === declared) this.#finish();
  }

  #watch(): void {
    if (this.#isOver) return;
    const { bodyTimeoutMs } = this.#options;
    const stop = (): void => this.#stop(late(this.#size, this.#request, this.#options));
    const timer = after(bodyTimeoutMs, stop, false);
    this.#timer = timer;
    this.#request.on('end', () => this.#finish());
    // A body that breaks off is answered where the connection's faults are.
    this.#request.on('error', () => timer.cancel());
    this.#request.on('close', () => timer.cancel());
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#read(this.#parts === undefined ? (this.#first ?? empty) : Buffer.concat(this.#parts, this.#size));
  }

  #stop(fault: SignalboxError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#first = undefined;
    this.#parts = undefined;
    this.#refuse(fault);
  }
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
