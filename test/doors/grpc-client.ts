// A stock grpc-js client for the doors' tests: calls by name, with raw bytes where a test wants to send rubbish.
import * as grpc from '@grpc/grpc-js';
import { settle, wallTime } from '../../runtime/clock.js';
import { type Door, type DoorOptions, doorDefaults } from '../../runtime/doors/door.js';
import { type Fields, type MethodCodec, services } from '../../runtime/doors/grpc/definitions.js';
import { createGrpcDoor } from '../../runtime/doors/grpc/door.js';
import { KeptLog, StandIn } from './stand-in.js';

export interface Outcome {
  readonly code: grpc.status;
  readonly details: string;
  readonly trailers: grpc.Metadata;
  readonly answer: Fields;
}

export interface CallOptions {
  readonly deadlineMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

export class Client {
  readonly native: grpc.Client;

  constructor(port: number) {
    this.native = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
    });
  }

  method(name: string): MethodCodec {
    const { inference, simple } = services();
    return (inference[name] ?? simple[name]) as MethodCodec;
  }

  call(name: string, request: Fields, options: CallOptions = {}): Promise<Outcome> {
    return this.raw(name, this.method(name).request.encode(request), options);
  }

  raw(name: string, bytes: Buffer, options: CallOptions = {}): Promise<Outcome> {
    return this.start(name, bytes, options).outcome;
  }

  start(
    name: string,
    bytes: Buffer,
    options: CallOptions = {},
  ): { call: grpc.ClientUnaryCall; outcome: Promise<Outcome> } {
    const method = this.method(name);
    const metadata = new grpc.Metadata();
    for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
    const deadline = options.deadlineMs === undefined ? {} : { deadline: wallTime() + options.deadlineMs };
    let call: grpc.ClientUnaryCall | undefined;
    const outcome = new Promise<Outcome>((resolve) => {
      let answer: Fields = {};
      call = this.native.makeUnaryRequest(
        method.path,
        (given: Buffer) => given,
        (given: Buffer) => method.response.decode(given),
        bytes,
        metadata,
        deadline,
        (_, value) => {
          if (value !== undefined) answer = value;
        },
      );
      call.on('status', ({ code, details, metadata: trailers }) => {
        // The status comes before the callback has the answer.
        settle(() => resolve({ code, details, trailers, answer }));
      });
    });
    return { call: call as grpc.ClientUnaryCall, outcome };
  }

  stream(name: string, options: CallOptions = {}): grpc.ClientDuplexStream<Fields, Fields> {
    const method = this.method(name);
    const deadline = options.deadlineMs === undefined ? {} : { deadline: wallTime() + options.deadlineMs };
    return this.native.makeBidiStreamRequest(
      method.path,
      (given: Fields) => (Buffer.isBuffer(given) ? given : method.request.encode(given)),
      (given: Buffer) => method.response.decode(given),
      new grpc.Metadata(),
      deadline,
    );
  }

  close(): void {
    this.native.close();
  }
}

export interface Scene {
  readonly engine: StandIn;
  readonly client: Client;
  readonly log: KeptLog;
  readonly port: number;
  readonly door: Door;
  stop(): Promise<void>;
}

export async function openGrpc(options: Partial<DoorOptions> = {}): Promise<Scene> {
  const engine = new StandIn();
  const log = new KeptLog();
  const door = createGrpcDoor(engine, { ...doorDefaults, defaultModel: 'twice', ...options }, log);
  const { port } = await door.start();
  const client = new Client(port);
  return {
    engine,
    client,
    log,
    port,
    door,
    stop: async () => {
      client.close();
      await door.stop(0);
    },
  };
}
