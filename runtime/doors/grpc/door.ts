// The gRPC door: the inference service, the simple service, health and reflection on one port.
import { pause } from '../../clock.js';
import type { Door, DoorLog, DoorOptions } from '../door.js';
import type { Engine } from '../engine.js';
import { Flight, within } from '../flight.js';
import { Models } from '../models.js';
import { type MethodCodec, services } from './definitions.js';
import { Health } from './health.js';
import { type Floor, inferStream, inferUnary } from './infer.js';
import { addModelService } from './model-service.js';
import { addQueries } from './queries.js';
import { addReflection } from './reflection.js';
import { GrpcServer } from './server.js';

/** So long the last answers may take to leave once the last job is over, while streams stay open. */
const flushMs = 100;

export function createGrpcDoor(engine: Engine, options: DoorOptions, log: DoorLog): Door {
  const floor: Floor = { engine, options, log, models: new Models(engine), flight: new Flight() };
  const server = new GrpcServer(options);
  const methods = services().inference;
  server.unary((methods['ModelInfer'] as MethodCodec).path, (call) => inferUnary(floor, call));
  server.stream((methods['ModelStreamInfer'] as MethodCodec).path, (call) => inferStream(floor, call));
  addQueries(server, floor);
  addModelService(server, floor);
  const health = new Health(engine, floor.models);
  health.addTo(server.native);
  addReflection(server.native);
  let drained: Promise<void> | undefined;
  const drain = (): Promise<void> => {
    drained ??= server.drain();
    return drained;
  };
  return {
    start: async () => ({ port: await server.listen() }),
    // Clients ask for another connection without an error: none of their calls is begun on this one.
    shut: async () => void drain(),
    stop: async (graceMs) => {
      health.stop();
      await within(
        Promise.race([drain(), floor.flight.landed(graceMs).then(() => pause(flushMs))]),
        graceMs + flushMs,
      );
      server.close();
    },
  };
}
