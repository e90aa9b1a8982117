// Server reflection, so that grpcurl and its like need no .proto files.
import { ReflectionService } from '@grpc/reflection';
import { services } from './definitions.js';
import type { NativeServer } from './server.js';

export function addReflection(server: NativeServer): void {
  // Every message carries all files, and for each they would be read again: some 80 ms of each start.
  const files = new Set<unknown>();
  const definition = Object.entries(services().definition).filter(([, { fileDescriptorProtos }]) => {
    const isNew = fileDescriptorProtos !== undefined && !files.has(fileDescriptorProtos);
    files.add(fileDescriptorProtos);
    return isNew;
  });
  new ReflectionService(Object.fromEntries(definition)).addToServer(server);
}
