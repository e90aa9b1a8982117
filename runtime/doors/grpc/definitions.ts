// The .proto files, loaded: each service's methods with their codecs. The only file that knows the protobuf loader.
import { fileURLToPath } from 'node:url';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { SignalboxError } from '../../../proto/errors.js';
import { Cursor } from './cursor.js';
import { healthProto } from './health.js';

const folder = fileURLToPath(new URL('../../../proto', import.meta.url));

export type Fields = Readonly<Record<string, unknown>>;

export interface Codec {
  /** Throws a SignalboxError when the bytes are no such message. 64-bit numbers come as digits. */
  decode(bytes: Buffer): Fields;
  encode(fields: Fields): Buffer;
}

export interface MethodCodec {
  readonly path: string;
  readonly request: Codec;
  readonly response: Codec;
}

export interface Services {
  /** As reflection wants it. */
  readonly definition: PackageDefinition;
  readonly inference: Readonly<Record<string, MethodCodec>>;
  readonly simple: Readonly<Record<string, MethodCodec>>;
}

interface Method {
  readonly path: string;
  readonly requestDeserialize: (bytes: Buffer) => object;
  readonly requestSerialize: (fields: object) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => object;
  readonly responseSerialize: (fields: object) => Buffer;
}

let loaded: Services | undefined;

export function services(): Services {
  loaded ??= load();
  return loaded;
}

function load(): Services {
  const definition = loadSync(['inference.proto', 'model_service.proto', healthProto], {
    includeDirs: [folder],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  return {
    definition,
    inference: methodsOf(definition, 'inference.GRPCInferenceService'),
    simple: methodsOf(definition, 'inference.ModelService'),
  };
}

function methodsOf(definition: PackageDefinition, service: string): Record<string, MethodCodec> {
  const methods = definition[service] as unknown as Record<string, Method>;
  return Object.fromEntries(
    Object.entries(methods).map(([name, method]) => [
      name,
      {
        path: method.path,
        request: codec(`${name} request`, method.requestSerialize, method.requestDeserialize),
        response: codec(`${name} answer`, method.responseSerialize, method.responseDeserialize),
      },
    ]),
  );
}

function codec(what: string, write: (fields: object) => Buffer, read: (bytes: Buffer) => object): Codec {
  return {
    encode: write,
    decode: (bytes) => {
      try {
        // The library reads a text that is cut off as if it ended there.
        if (new Cursor(bytes, 0, bytes.length).framed()) return read(bytes) as Fields;
      } catch {
        // Said below.
      }
      throw new SignalboxError(
        'INPUT_INVALID',
        `these ${bytes.length} bytes are no protobuf message of a ${what}`,
      );
    },
  };
}
