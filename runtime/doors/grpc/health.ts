// The standard health service: the server (""), its services and each model by name, as the engine sees them now.
import { HealthImplementation, protoPath, type ServingStatus } from 'grpc-health-check';
import type { Engine } from '../engine.js';
import type { Models } from '../models.js';
import type { NativeServer } from './server.js';

/** Where the health service is described, for reflection. */
export const healthProto = protoPath;

const serverNames = ['', 'inference.GRPCInferenceService', 'inference.ModelService'];

export class Health {
  readonly #engine: Engine;
  readonly #models: Models;
  readonly #service = new HealthImplementation();
  readonly #told = new Map<string, ServingStatus>();
  #stopping = false;
  readonly #unsubscribe: () => void;

  constructor(engine: Engine, models: Models) {
    this.#engine = engine;
    this.#models = models;
    this.#unsubscribe = engine.onReadiness(() => this.#look());
    this.#look();
  }

  addTo(server: NativeServer): void {
    this.#service.addToServer(server);
  }

  /** Says of everything that it serves no longer. */
  stop(): void {
    this.#stopping = true;
    this.#unsubscribe();
    for (const name of this.#told.keys()) this.#tell(name, 'NOT_SERVING');
  }

  #look(): void {
    if (this.#stopping) return;
    const ready = this.#engine.ready();
    for (const name of serverNames) this.#tell(name, ready ? 'SERVING' : 'NOT_SERVING');
    const models = new Set(this.#engine.models().map((entry) => entry.name));
    for (const name of models) {
      this.#tell(name, this.#models.ready(name, '') ? 'SERVING' : 'NOT_SERVING');
    }
    for (const name of this.#told.keys()) {
      if (!models.has(name) && !serverNames.includes(name)) this.#tell(name, 'NOT_SERVING');
    }
  }

  #tell(name: string, status: ServingStatus): void {
    if (this.#told.get(name) === status) return;
    this.#told.set(name, status);
    this.#service.setStatus(name, status);
  }
}
