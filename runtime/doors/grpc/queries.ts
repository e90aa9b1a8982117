// Every RPC of the inference service that asks about the server or a model, and those that say what it can't do.
import { SignalboxError } from '../../../proto/errors.js';
import {
  describeConfig,
  describeIndex,
  describeMetadata,
  describeServer,
  describeStatistics,
} from '../describe.js';
import { refusalOf } from '../door.js';
import { actOn, type RepositoryAction } from '../repository.js';
import { type Fields, type MethodCodec, services } from './definitions.js';
import type { Floor } from './infer.js';
import type { GrpcServer, UnaryCall } from './server.js';

type Query = (request: Fields) => Fields | Promise<Fields>;

/** Named by their RPCs. */
function queries(floor: Floor): Record<string, Query> {
  const { engine, options } = floor;
  return {
    ServerLive: () => ({ live: engine.live() }),
    ServerReady: () => ({ ready: engine.ready() }),
    ModelReady: (request) => ({ ready: floor.models.ready(name(request), version(request)) }),
    ServerMetadata: () => describeServer(options.serverVersion),
    ModelMetadata: (request) => describeMetadata(engine, floor.models.known(name(request), version(request))),
    ModelConfig: (request) => ({
      config: describeConfig(engine, floor.models.known(name(request), version(request))),
    }),
    ModelStatistics: (request) => describeStatistics(floor.models, engine, name(request), version(request)),
    RepositoryIndex: (request) => ({ models: describeIndex(engine, request['ready'] === true) }),
    RepositoryModelLoad: (request) => act(floor, 'load', request),
    RepositoryModelUnload: (request) => act(floor, 'unload', request),
    SystemSharedMemoryStatus: () => ({}),
    SystemSharedMemoryRegister: unsupported('shared memory: send tensors in the request'),
    SystemSharedMemoryUnregister: unsupported('shared memory: there is no region to be taken back'),
    CudaSharedMemoryStatus: () => ({}),
    CudaSharedMemoryRegister: unsupported('CUDA shared memory: send tensors in the request'),
    CudaSharedMemoryUnregister: unsupported('CUDA shared memory: there is no region to be taken back'),
    TraceSetting: unsupported(
      'trace settings: ask for the path of one request with the metadata signalbox-trace: 1',
    ),
    LogSettings: unsupported('log settings over the wire: set the log level where the server is started'),
  };
}

export function addQueries(server: GrpcServer, floor: Floor): void {
  const methods = services().inference;
  for (const [rpc, query] of Object.entries(queries(floor))) {
    addQuery(server, floor, methods[rpc] as MethodCodec, query);
  }
}

export function addQuery(server: GrpcServer, floor: Floor, method: MethodCodec, query: Query): void {
  server.unary(method.path, (call: UnaryCall) => {
    try {
      const answer = query(method.request.decode(call.request));
      if (!(answer instanceof Promise)) return call.answer(method.response.encode(answer));
      answer.then(
        (late) => call.answer(method.response.encode(late)),
        (fault) => call.refuse(refusalOf(fault, floor.log)),
      );
    } catch (fault) {
      call.refuse(refusalOf(fault, floor.log));
    }
  });
}

async function act(floor: Floor, action: RepositoryAction, request: Fields): Promise<Fields> {
  const parameters = Object.keys((request['parameters'] as object | undefined) ?? {});
  await actOn(floor.engine, action, String(request['model_name'] ?? ''), parameters);
  return {};
}

function name(request: Fields): string {
  return String(request['name'] ?? '');
}

function version(request: Fields): string {
  return String(request['version'] ?? '');
}

function unsupported(what: string): Query {
  return () => {
    throw new SignalboxError('UNSUPPORTED', `this server does not have ${what}`);
  };
}
