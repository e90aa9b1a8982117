// Server reflection, so that grpcurl and its like need no .proto files.
import { ReflectionService } from '@grpc/reflection';
import { services } from './definitions.js';
import type { NativeServer } from './server.js';

export function addReflection(server: NativeServer): void {
  new ReflectionService(services().definition).addToServer(server);
}
