// A node's stock on a stage: what it sees, how its workers are, and what it wants done, gathered until a test looks.
import { digestOf, type Manifest, manifestKey } from '../../cluster/manifest.js';
import type { Holding, Place } from '../../cluster/placement.js';
import { type Faring, Stock, type StockEffect, type StockFact } from '../../cluster/stock.js';

export function manifestOf(
  model: string,
  replicas = 0,
  content = 'a',
  needs: readonly string[] = [],
): Manifest {
  const files = [{ path: 'config.yaml', sizeBytes: 1, sha256: content.repeat(64), parts: ['b'.repeat(64)] }];
  return {
    model,
    version: '1',
    digest: digestOf(files),
    partBytes: 4,
    files,
    spread: { replicas, needs },
  };
}

export function place(name: string, more: Partial<Place> = {}): Place {
  return {
    member: { id: `${name}.aaaaaa`, roles: ['host'], endpoint: '', host: '' },
    state: 'serving',
    labels: [],
    machine: name,
    workers: [{ id: `${name}-worker-1.aaaaaa`, device: 'cpu' }],
    holdings: [],
    ...more,
  };
}

export function holds({ model, version, digest }: Manifest, state: Holding['state'], reason = ''): Holding {
  return { model, version, content: digest.slice(0, 10), state, reason };
}

/** A node `own` and what it sees; what its stock wants is gathered until it is looked at. */
export class Stage {
  readonly stock: Stock;
  own = place('own');
  others: Place[] = [];
  isLive = true;
  faring: Faring = { state: 'ready', reason: '' };
  now = 1000;
  /** Contents that requests may still get. */
  readonly served = new Set<Manifest>();
  private wanted: StockEffect[] = [];

  constructor(routes = false) {
    this.stock = new Stock({
      routes,
      nodes: () => ({
        own: { ...this.own, holdings: this.stock.holdings() },
        others: this.others,
        isLive: this.isLive,
      }),
      faringOf: () => this.faring,
      isServed: (manifest) => this.served.has(manifest),
    });
  }

  /** It has begun, with this in the store and that on its disk. */
  static begun(manifests: readonly Manifest[] = [], complete = manifests, routes = false): Stage {
    const stage = new Stage(routes);
    stage.open(manifests);
    stage.hear({ type: 'cache.read', complete });
    return stage;
  }

  open(manifests: readonly Manifest[]): void {
    this.hear({ type: 'store.opened' });
    for (const manifest of manifests) this.put(manifest);
    this.hear({ type: 'store.caughtUp' });
  }

  hear(fact: StockFact): void {
    this.wanted.push(...this.stock.hear(fact, this.now));
  }

  put(manifest: Manifest): void {
    this.hear({ type: 'manifest.put', manifest });
  }

  remove({ model, version }: Manifest): void {
    this.hear({ type: 'manifest.removed', key: manifestKey(model, version) });
  }

  look(): void {
    this.hear({ type: 'tick' });
  }

  pass(forMs: number): void {
    this.now += forMs;
    this.look();
  }

  /** What is wanted of that kind since it was asked last. */
  take<T extends StockEffect['type']>(type: T): Extract<StockEffect, { type: T }>[] {
    const isOf = (effect: StockEffect): effect is Extract<StockEffect, { type: T }> => effect.type === type;
    const taken = this.wanted.filter(isOf);
    this.wanted = this.wanted.filter((effect) => !isOf(effect));
    return taken;
  }

  fetches(): string[] {
    return this.take('fetch').map(({ manifest }) => manifest.model);
  }

  /** Every fetch that is wanted comes to its end, and what is wanted then, until nothing more is. */
  settle(reason?: string): void {
    for (let wanted = this.take('fetch'); wanted.length > 0; wanted = this.take('fetch'))
      for (const { turn } of wanted) this.end(turn, reason);
  }

  end(turn: number, reason?: string): void {
    this.hear({ type: 'fetch.ended', turn, ...(reason === undefined ? {} : { reason }) });
  }

  states(): string[] {
    return this.stock.holdings().map(({ model, state }) => `${model} ${state}`);
  }
}

/** One that, of two nodes, is for this one or for the other. */
export function chosenFor(who: 'own' | 'other', other: Place): Manifest {
  for (let at = 0; ; at++) {
    const manifest = manifestOf(`m${at}`, 1);
    const stage = Stage.begun();
    stage.others = [other];
    stage.put(manifest);
    if (stage.fetches().length === (who === 'own' ? 1 : 0)) return manifest;
  }
}
