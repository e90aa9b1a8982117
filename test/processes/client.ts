// Stock clients for the doors: gRPC by the public .proto files and grpc-js as anybody would use them, and plain HTTP.
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { root } from './harness.js';

const definition = loadSync(['inference.proto', 'model_service.proto'], {
  includeDirs: [join(root, 'proto')],
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
});

interface Services {
  readonly inference: { readonly GRPCInferenceService: grpc.ServiceClientConstructor };
}

const services = grpc.loadPackageDefinition(definition) as unknown as Services;

export interface Given {
  readonly model: string;
  readonly version?: string;
  readonly id?: string;
  readonly input?: string;
  readonly datatype?: 'FP32' | 'INT64';
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
  /** The `timeout` parameter. */
  readonly timeoutMs?: number;
  /** The parameter of that name. */
  readonly variant?: string;
  /** The client's own deadline. */
  readonly deadlineMs?: number;
}

export interface Told {
  /** A name as in gRPC: OK, DEADLINE_EXCEEDED. */
  readonly status: string;
  /** Of this server's table; empty when it went well. */
  readonly code: string;
  readonly message: string;
  readonly path: string;
  readonly values: Float32Array;
  readonly id: string;
  readonly sentAt: number;
  readonly toldAt: number;
}

interface WireAnswer {
  readonly id: string;
  readonly raw_output_contents: readonly Buffer[];
}

interface StreamAnswer {
  readonly error_message: string;
  readonly infer_response: WireAnswer | null;
}

const patienceMs = 30_000;

export class GrpcClient {
  readonly native: grpc.Client;

  constructor(port: number, host = '127.0.0.1') {
    const Service = services.inference.GRPCInferenceService;
    this.native = new Service(`${host}:${port}`, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 500,
    });
  }

  /** Never rejects: a refusal is an answer like another. */
  infer(given: Given): Promise<Told> {
    const metadata = new grpc.Metadata();
    metadata.set('signalbox-trace', '1');
    const sentAt = performance.now();
    const deadline = Date.now() + (given.deadlineMs ?? patienceMs);
    const options: grpc.CallOptions =
      given.deadlineMs === undefined && given.timeoutMs !== undefined ? {} : { deadline };
    return new Promise((resolve) => {
      let trailers = new grpc.Metadata();
      let ended = false;
      let told: Told | undefined;
      const finish = (): void => {
        if (ended && told !== undefined)
          resolve({ ...told, path: told.path || textOf(trailers, 'signalbox-path') });
      };
      const call = this.call('ModelInfer', wireRequest(given), metadata, options, (fault, answer) => {
        told = toldOf(fault, answer as WireAnswer | undefined, sentAt);
        finish();
      });
      call.on('status', (status) => {
        trailers = status.metadata;
        ended = true;
        finish();
      });
    });
  }

  /** Any other method; rejects with the gRPC error. */
  ask(method: string, fields: object = {}): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      this.call(
        method,
        fields,
        new grpc.Metadata(),
        { deadline: Date.now() + patienceMs },
        (fault, answer) => {
          if (fault === null) resolve(answer as Record<string, unknown>);
          else reject(fault);
        },
      );
    });
  }

  /** One ModelStreamInfer; `told` hears each answer with its id. */
  stream(
    told: (id: string, error: string, values: Float32Array) => void,
    broken: () => void = () => {},
  ): InferStream {
    const { path, requestSerialize, responseDeserialize } = method('ModelStreamInfer');
    const call = this.native.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    let failed = '';
    call.on('data', (answer: StreamAnswer) => {
      const { id = '', raw_output_contents: raw = [] } = answer.infer_response ?? {};
      told(id, answer.error_message, floatsOf(raw[0]));
    });
    call.on('error', (fault: grpc.ServiceError) => {
      failed = fault.message;
      broken();
    });
    return {
      send: (given) => void call.write(wireRequest(given)),
      fault: () => failed,
      end: () =>
        new Promise((resolve) => {
          call.on('close', resolve);
          call.on('status', () => resolve());
          call.end();
        }),
      cancel: () => call.cancel(),
    };
  }

  close(): void {
    this.native.close();
  }

  private call(
    name: string,
    fields: object,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    done: (fault: grpc.ServiceError | null, answer: unknown) => void,
  ): grpc.ClientUnaryCall {
    const { path, requestSerialize, responseDeserialize } = method(name);
    return this.native.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      fields,
      metadata,
      options,
      done,
    );
  }
}

export interface InferStream {
  send(given: Given): void;
  /** Why the stream broke; empty while it did not. */
  fault(): string;
  end(): Promise<void>;
  cancel(): void;
}

function method(name: string): grpc.MethodDefinition<object, object> {
  return services.inference.GRPCInferenceService.service[name] as grpc.MethodDefinition<object, object>;
}

/** A request as it goes over the wire, for load generators that send bytes. */
export function requestBytes(given: Given): Buffer {
  return method('ModelInfer').requestSerialize(wireRequest(given));
}

/** The same of a model that takes texts. */
export function textRequestBytes(model: string, texts: readonly string[], timeoutMs: number): Buffer {
  const elements = texts.flatMap((text) => {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return [length, bytes];
  });
  return method('ModelInfer').requestSerialize({
    model_name: model,
    parameters: { timeout: { int64_param: timeoutMs * 1000 } },
    inputs: [{ name: 'text', datatype: 'BYTES', shape: [texts.length] }],
    raw_input_contents: [Buffer.concat(elements)],
  });
}

function wireRequest(given: Given): object {
  const {
    model,
    version = '',
    id = '',
    input = 'x',
    datatype = 'FP32',
    shape,
    data,
    timeoutMs,
    variant,
  } = given;
  return {
    model_name: model,
    model_version: version,
    id,
    parameters: {
      ...(timeoutMs === undefined ? {} : { timeout: { int64_param: Math.round(timeoutMs * 1000) } }),
      ...(variant === undefined ? {} : { variant: { string_param: variant } }),
    },
    inputs: [{ name: input, datatype, shape }],
    raw_input_contents: [Buffer.from(data.buffer, data.byteOffset, data.byteLength)],
  };
}

function toldOf(fault: grpc.ServiceError | null, answer: WireAnswer | undefined, sentAt: number): Told {
  const times = { sentAt, toldAt: performance.now() };
  if (fault !== null) {
    const { code, details, metadata } = fault;
    const path = textOf(metadata, 'signalbox-path');
    const values = new Float32Array(0);
    return {
      status: statusName(code),
      code: textOf(metadata, 'signalbox-code'),
      message: details,
      path,
      values,
      id: '',
      ...times,
    };
  }
  const { id = '', raw_output_contents: raw = [] } = answer ?? {};
  return { status: 'OK', code: '', message: '', path: '', values: floatsOf(raw[0]), id, ...times };
}

function statusName(code: number): string {
  return grpc.status[code] ?? String(code);
}

function textOf(metadata: grpc.Metadata | undefined, name: string): string {
  return String(metadata?.get(name)[0] ?? '');
}

function floatsOf(raw: Buffer | undefined): Float32Array {
  if (raw === undefined) return new Float32Array(0);
  return new Float32Array(Uint8Array.from(raw).buffer);
}

/** A row of four with a number at its beginning, which simulated models give back. */
export function rowOf(model: string, value: number): Pick<Given, 'model' | 'shape' | 'data'> {
  return { model, shape: [1, 4], data: new Float32Array([value, 1, 2, 3]) };
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export async function http(port: number, path: string, body?: object): Promise<HttpAnswer> {
  const request: RequestInit = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, request);
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) };
}
