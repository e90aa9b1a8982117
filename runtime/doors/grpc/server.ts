// The gRPC server behind plain calls: bytes in, bytes or a refusal out. The only file that knows grpc-js.
import * as grpc from '@grpc/grpc-js';
import { errors, grpcStatus } from '../../../proto/errors.js';
import { wallTime } from '../../clock.js';
import { type DoorOptions, listenFault, type Refusal, retryAfterMs } from '../door.js';
import { headerSafe, tidyText } from '../sentence.js';
import type { Message } from './infer-answer.js';
import { cutLongDeadlines } from './long-deadlines.js';
import { replaceStreamTables } from './open-streams.js';
import { widenWindows } from './windows.js';

const detailsLengthMax = 3500;

export type NativeServer = grpc.Server;
export type Trailers = readonly (readonly [string, string])[];

export class Call {
  readonly #call: grpc.ServerUnaryCall<Buffer, Message> | grpc.ServerDuplexStream<Buffer, Message>;

  constructor(call: grpc.ServerUnaryCall<Buffer, Message> | grpc.ServerDuplexStream<Buffer, Message>) {
    this.#call = call;
  }

  /** Milliseconds until the client's deadline; Infinity when it has none. */
  leftMs(): number {
    const deadline = this.#call.getDeadline();
    if (deadline === Number.POSITIVE_INFINITY) return deadline;
    return Number(deadline) - wallTime();
  }

  header(name: string): string {
    return String(this.#call.metadata.get(name)[0] ?? '');
  }

  /** Nobody is left to read an answer. */
  isGone(): boolean {
    return this.#call.cancelled;
  }

  /** Runs when the client cancels, goes away or its deadline passes; and also after a normal end. */
  onCancelled(run: () => void): void {
    this.#call.on('cancelled', run);
  }
}

export class UnaryCall extends Call {
  readonly request: Buffer;
  readonly #callback: grpc.sendUnaryData<Message>;

  constructor(call: grpc.ServerUnaryCall<Buffer, Message>, callback: grpc.sendUnaryData<Message>) {
    super(call);
    this.request = call.request;
    this.#callback = callback;
  }

  answer(message: Message, trailers?: Trailers): void {
    if (trailers === undefined) this.#callback(null, message);
    else this.#callback(null, message, metadataOf(trailers));
  }

  refuse(refusal: Refusal): void {
    this.#callback(statusOf(refusal));
  }
}

export class StreamCall extends Call {
  readonly #stream: grpc.ServerDuplexStream<Buffer, Message>;
  #over = false;

  constructor(stream: grpc.ServerDuplexStream<Buffer, Message>) {
    super(stream);
    this.#stream = stream;
    // A stream that breaks is told by `cancelled`, which follows.
    stream.on('error', () => {});
    stream.on('cancelled', () => {
      this.#over = true;
    });
  }

  onRequest(run: (request: Buffer) => void): void {
    this.#stream.on('data', run);
  }

  /** The client has said all that it wants to say. */
  onEnd(run: () => void): void {
    this.#stream.on('end', run);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** `sent` runs when there is room for more; not after the call is over. */
  write(message: Message, sent: () => void): void {
    if (!this.#over) this.#stream.write(message, sent);
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream.end();
  }

  refuse(refusal: Refusal): void {
    if (this.#over) return;
    this.#over = true;
    this.#stream.emit('error', statusOf(refusal));
  }
}

export class GrpcServer {
  readonly #server: grpc.Server;
  readonly #options: DoorOptions;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#server = new grpc.Server({
      'grpc.max_receive_message_length': options.requestBytesMax,
      'grpc.max_send_message_length': -1,
      'grpc.max_metadata_size': 32 * 1024,
    });
    widenWindows(this.#server);
    cutLongDeadlines(this.#server);
    replaceStreamTables(this.#server);
  }

  /** For services that bring their own methods (health, reflection). */
  get native(): NativeServer {
    return this.#server;
  }

  unary(path: string, handle: (call: UnaryCall) => void): void {
    this.#server.register<Buffer, Message>(
      path,
      (call: grpc.ServerUnaryCall<Buffer, Message>, callback: grpc.sendUnaryData<Message>) =>
        handle(new UnaryCall(call, callback)),
      asBytes,
      asItIs,
      'unary',
    );
  }

  stream(path: string, handle: (call: StreamCall) => void): void {
    this.#server.register<Buffer, Message>(
      path,
      (stream: grpc.ServerDuplexStream<Buffer, Message>) => handle(new StreamCall(stream)),
      asBytes,
      asItIs,
      'bidi',
    );
  }

  listen(): Promise<number> {
    const { host, port } = this.#options;
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (fault, bound) => {
        if (fault === null) resolve(bound);
        else reject(listenFault(fault, host, port, '--grpc-port'));
      });
    });
  }

  /** Takes no new connection and no new call on the old ones; resolves when the last call is over. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.tryShutdown(() => resolve());
    });
  }

  /** Ends all at once. */
  close(): void {
    this.#server.forceShutdown();
  }
}

function statusOf(refusal: Refusal): Partial<grpc.StatusObject> {
  const trailers: [string, string][] = [['signalbox-code', refusal.code]];
  if (refusal.job !== '') trailers.push(['signalbox-job', refusal.job]);
  if (refusal.path !== '') trailers.push(['signalbox-path', refusal.path]);
  const againMs = retryAfterMs(refusal);
  if (againMs > 0) trailers.push(['retry-after-ms', String(againMs)]);
  return {
    code: grpcStatus[errors[refusal.code].grpc],
    details: fitting(`${refusal.code}: ${refusal.message}`),
    metadata: metadataOf(trailers),
  };
}

/** Some clients drop answers with more than 8 KB of headers, and a status may grow ninefold when it is encoded. */
function fitting(details: string): string {
  let cut = details;
  while (encodeURI(cut).length > detailsLengthMax) cut = `${tidyText(cut.slice(0, cut.length * 0.8))}...`;
  return cut;
}

function metadataOf(trailers: Trailers): grpc.Metadata {
  const metadata = new grpc.Metadata();
  for (const [name, value] of trailers) metadata.set(name, headerSafe(value, 4000));
  return metadata;
}

function asItIs(bytes: Buffer): Buffer {
  return bytes;
}

/** The server takes a message's size and asks it to copy itself: no need to build it first. */
function asBytes(message: Message): Buffer {
  return message as unknown as Buffer;
}
