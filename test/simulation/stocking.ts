// A few nodes whose stocks (cluster/stock.ts) fetch models in virtual time: words of the store and of each other come late, holders
// die and come back, views freeze, fetches fail, and models are pushed, replaced and removed meanwhile.
import { digestOf, type Manifest, manifestKey } from '../../cluster/manifest.js';
import { type Holding, holdersOf, type Place } from '../../cluster/placement.js';
import { editionKeyOf, type Sight, Stock, type StockEffect, type StockFact } from '../../cluster/stock.js';
import { Random } from './random.js';
import { Timeline } from './timeline.js';
import { require } from './violation.js';

export interface StockBug {
  hears?(fact: StockFact): boolean;
  sees?(sight: Sight): Sight;
}

const tickMs = 1000;
const faultsEndMs = 60_000;
/** What failed last, and few times, is tried again by then, and what comes of that has its time. */
const restMs = 150_000;
const leaseMs = 3000;

class StockNode {
  readonly place: Place;
  readonly routes: boolean;
  stock: Stock;
  isAlive = true;
  /** Of several lives under one name: what is late is for one that is over. */
  life = 0;
  isLive = true;
  readonly disk = new Set<string>();
  /** What others say of themselves, as far as it has come. */
  readonly seen = new Map<StockNode, readonly Holding[]>();
  /** When workers have it. */
  readonly readyAt = new Map<string, number>();
  private readonly town: StockTown;
  private lastWordAt = 0;

  constructor(town: StockTown, at: number) {
    this.town = town;
    this.routes = at === 0;
    this.place = {
      member: { id: `node-${at}.aaaaaa`, roles: ['host'], endpoint: '', host: '' },
      state: 'serving',
      labels: [],
      machine: `machine-${at}`,
      workers: [{ id: `worker-${at}.aaaaaa`, device: 'cpu' }],
    };
    this.stock = this.begun();
  }

  begun(): Stock {
    const { bug, timeline } = this.town;
    const faringOf = (manifest: Manifest) => {
      const isReady = (this.readyAt.get(editionKeyOf(manifest)) ?? Infinity) <= timeline.now;
      return { state: isReady ? ('ready' as const) : ('loading' as const), reason: '' };
    };
    const nodes = (): Sight => bug.sees?.(this.sight()) ?? this.sight();
    this.stock = new Stock({ routes: this.routes, faringOf, isServed: () => false, nodes });
    return this.stock;
  }

  sight(): Sight {
    const others = [...this.seen].map(([{ place }, holdings]) => ({ ...place, holdings }));
    return {
      own: { ...this.place, holdings: this.stock.holdings() },
      others,
      isLive: this.isLive,
    };
  }

  /** Words come in order, each a while later. */
  later(fact: StockFact): void {
    const { timeline, random } = this.town;
    const { life } = this;
    this.lastWordAt = Math.max(this.lastWordAt, timeline.now + random.between(0.1, 300));
    timeline.at(this.lastWordAt, () => this.hear(fact, life));
  }

  hear(fact: StockFact, life = this.life): void {
    const { timeline, bug } = this.town;
    if (!this.isAlive || life !== this.life || bug.hears?.(fact) === false) return;
    const before = JSON.stringify(this.stock.holdings());
    for (const effect of this.stock.hear(fact, timeline.now)) this.perform(effect);
    this.employ();
    if (before !== JSON.stringify(this.stock.holdings())) this.town.tellOf(this);
  }

  private perform(effect: StockEffect): void {
    const { timeline, random } = this.town;
    const { life } = this;
    const end = (turn: number, reason?: string): void =>
      this.hear(
        {
          type: 'fetch.ended',
          turn,
          ...(reason === undefined ? {} : { reason, isUnreached: turn % 2 === 0 }),
        },
        life,
      );
    if (effect.type === 'readCache') {
      const complete = effect.manifests.filter((manifest) => this.disk.has(editionKeyOf(manifest)));
      timeline.after(random.between(0.1, 50), () => this.hear({ type: 'cache.read', complete }, life));
    } else if (effect.type === 'fetch') {
      const isCut = timeline.now < faultsEndMs && random.chance(0.2);
      timeline.after(random.between(10, 3000), () => {
        if (!isCut && life === this.life) this.disk.add(editionKeyOf(effect.manifest));
        end(effect.turn, isCut ? 'the line is cut' : undefined);
      });
    } else if (effect.type === 'letGo') {
      const isReady = (this.readyAt.get(editionKeyOf(effect.manifest)) ?? Infinity) <= timeline.now;
      if (isReady && !this.stock.isSpare(effect.manifest)) this.town.checkLetGo(this, effect.manifest);
      this.readyAt.delete(editionKeyOf(effect.manifest));
    }
  }

  /** Its workers load what is theirs and leave what is not. */
  private employ(): void {
    const { timeline, random } = this.town;
    for (const manifest of this.town.everPushed) {
      const key = editionKeyOf(manifest);
      const edition = key.slice(manifest.model.length + 1);
      const isTheirs = this.disk.has(key) && !this.stock.isElsewhere(manifest.model, edition);
      if (!isTheirs) this.readyAt.delete(key);
      else if (!this.readyAt.has(key)) this.readyAt.set(key, timeline.now + random.between(10, 1500));
    }
  }
}

export class StockTown {
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly bug: StockBug;
  readonly store = new Map<string, Manifest>();
  readonly everPushed: Manifest[] = [];
  private readonly nodes: StockNode[];

  constructor(seed: number, bug: StockBug = {}) {
    this.random = new Random(seed);
    this.bug = bug;
    this.nodes = Array.from({ length: this.random.whole(2, 5) }, (_, at) => new StockNode(this, at));
    for (const node of this.nodes) this.start(node);
    for (let fault = this.random.whole(4, 16); fault > 0; fault--)
      this.timeline.at(this.random.between(0, faultsEndMs), () => this.strike());
    this.timeline.at(faultsEndMs, () => this.heal());
  }

  run(): void {
    this.timeline.run(faultsEndMs + restMs);
    this.checkRest();
  }

  /** What a node says of itself gets to the others, late. */
  tellOf(node: StockNode): void {
    for (const other of this.nodes) {
      const holdings = node.stock.holdings();
      this.timeline.after(this.random.between(0.1, 500), () => {
        if (node.isAlive && other !== node) other.seen.set(node, holdings);
      });
    }
  }

  /** Its workers have it, and it was neither taken out nor replaced: by what it sees, somebody else has it ready. */
  checkLetGo(node: StockNode, manifest: Manifest): void {
    const key = manifestKey(manifest.model, manifest.version);
    const content = manifest.digest.slice(0, 10);
    const { isLive, others } = node.sight();
    const isReadyAt = ({ holdings = [] }: Place): boolean =>
      holdings.some(
        (one) => one.model === manifest.model && one.content === content && one.state === 'ready',
      );
    require(!isLive || others.some(isReadyAt), 'stock', () =>
      `${node.place.member.id} lets ${key} go, and sees nobody who has it`);
  }

  private strike(): void {
    const { random, nodes } = this;
    const node = random.pick(nodes);
    const kind = random.pick(['push', 'push', 'push', 'remove', 'kill', 'freeze', 'reopen'] as const);
    if (kind === 'push') this.push(`m${random.whole(1, 4)}`, random.pick(['a', 'b']), random.whole(0, 2));
    else if (kind === 'remove') this.remove(`m${random.whole(1, 4)}`);
    else if (kind === 'kill') this.kill(node);
    else if (kind === 'freeze') node.isLive = false;
    else this.open(node);
  }

  private push(model: string, content: string, replicas: number): void {
    const files = [
      { path: 'weights', sizeBytes: replicas, sha256: content.repeat(64), parts: ['c'.repeat(64)] },
    ];
    const about = { model, version: '1', digest: digestOf(files), partBytes: 4, files };
    const manifest: Manifest = { ...about, spread: { replicas, needs: [] } };
    this.everPushed.push(manifest);
    this.store.set(manifestKey(model, '1'), manifest);
    for (const node of this.nodes) node.later({ type: 'manifest.put', manifest });
  }

  private remove(model: string): void {
    const key = manifestKey(model, '1');
    if (!this.store.delete(key)) return;
    for (const node of this.nodes) node.later({ type: 'manifest.removed', key });
  }

  private kill(node: StockNode): void {
    node.isAlive = false;
    node.life++;
    node.readyAt.clear();
    for (const other of this.nodes)
      this.timeline.after(leaseMs, () => {
        if (!node.isAlive) other.seen.delete(node);
      });
    this.timeline.after(this.random.between(500, 20_000), () => {
      if (!node.isAlive) this.start(node);
    });
  }

  private start(node: StockNode): void {
    node.isAlive = true;
    node.begun();
    this.open(node);
    const { life } = node;
    const tick = (): void => {
      if (!node.isAlive || node.life !== life) return;
      node.hear({ type: 'tick' });
      this.timeline.after(tickMs, tick);
    };
    this.timeline.after(this.random.between(0, tickMs), tick);
    this.tellOf(node);
  }

  /** The watch of the store begins, perhaps anew. */
  private open(node: StockNode): void {
    node.later({ type: 'store.opened' });
    for (const manifest of this.store.values()) node.later({ type: 'manifest.put', manifest });
    node.later({ type: 'store.caughtUp' });
  }

  private heal(): void {
    for (const node of this.nodes) {
      node.isLive = true;
      if (!node.isAlive) this.start(node);
    }
  }

  /** Each has what it is to have, ready, and nothing else. */
  private checkRest(): void {
    const places = this.nodes.map(({ place }) => place);
    for (const { stock, place, routes, disk } of this.nodes) {
      const { id } = place.member;
      const wanted = [...this.store.values()].filter((manifest) => holdersOf(manifest, places).includes(id));
      const told = stock.holdings().map(({ model, content, state }) => `${model} ${content} ${state}`);
      const right = wanted.map(({ model, digest }) => `${model} ${digest.slice(0, 10)} ready`);
      require(told.sort().join() === right.sort().join(), 'stock', () =>
        `${id} has ${told.join(', ') || 'nothing'}, wanted is ${right.join(', ') || 'nothing'}`);
      require(stock.behind() === '' && stock.hasStarted, 'stock', () => `${id} is behind: ${stock.behind()}`);
      for (const manifest of routes ? this.store.values() : [])
        require(disk.has(editionKeyOf(manifest)), 'stock', () => `${id} routes and lacks ${manifest.model}`);
    }
  }
}
