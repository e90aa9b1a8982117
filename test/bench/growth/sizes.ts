// What the size of a cluster costs the main thread of one of its nodes, without any network: a scheduler that hears from
// each worker of all its models, one that gives out a job while models are at rest, and a node's look at who is to have
// which model of the store. Costs are per piece, so that what grows faster than the cluster shows as a ratio.
import type { Heard } from '../../../actors/actor.js';
import { Scheduler } from '../../../actors/scheduler/scheduler.js';
import type { Manifest } from '../../../cluster/manifest.js';
import { holdersOf, type Place } from '../../../cluster/placement.js';
import { Stock, type StockFact } from '../../../cluster/stock.js';
import { batchingDefaults } from '../../../proto/batching.js';
import type { MemberId } from '../../../proto/ids.js';
import type { Said, ShareState } from '../../../proto/messages.js';
import { interleave, say, saySpread } from '../figures.js';
import { holdingOf, manifestOf } from './models.js';

const scheduler = 'scheduler-1.bbbbbb';
const router = 'router-1.aaaaaa';
const requests = 2000;
const ticks = 20;

export async function sizesFigures(rounds: number): Promise<Record<string, number>> {
  const { few, many, calm, resting, small, large, leaving } = await interleave(rounds, {
    few: () => usPerShare(10, 100),
    many: () => usPerShare(40, 100),
    calm: () => usPerRequest(20, 500, 'ready'),
    resting: () => usPerRequest(20, 500, 'resting'),
    small: () => new Shelf(10, 100, 3).msPerTick(),
    large: () => new Shelf(100, 100, 3).msPerTick(),
    leaving: () => new Shelf(100, 100, 0).msPerLookAround(),
  });
  saySpread('µs until a scheduler has heard of a model, from 10 workers with 100', few);
  saySpread('µs until a scheduler has heard of a model, from 40 workers with 100', many);
  saySpread('µs to give out a job at one of 20 workers, 500 other models in memory', calm);
  saySpread('µs to give out a job at one of 20 workers, 500 other models at rest', resting);
  saySpread('ms of a look at 100 models of the store on 10 nodes', small);
  saySpread('ms of a look at 100 models of the store on 100 nodes', large);
  saySpread('ms of a look at who lacks what a node of 100 has that leaves, where all have all', leaving);
  say(`  heard at once: 40 workers with 100 models take ${Math.round((many.median * 4000) / 1000)} ms`);
  return {
    hearing40x100Ms: (many.median * 4000) / 1000,
    hearing40ToHearing10: many.median / few.median,
    restingToReady500x20: resting.median / calm.median,
    stockTickMs100x100: large.median,
    stockTick100To10: large.median / small.median / 10,
    uncoveredMs100x100: leaving.median,
  };
}

class Desk {
  private readonly scheduler = new Scheduler({
    lane: { depthMax: 1000, bytesMax: 1e9 },
    choice: 'earliest-finish',
    admission: true,
    reconcileMs: 1000,
  });
  private now = 0;

  hear(heard: Heard, from: MemberId = scheduler): Said<'batch.assign'> | undefined {
    let assigned: Said<'batch.assign'> | undefined;
    for (const effect of this.scheduler.receive(heard, from, (this.now += 0.1)))
      if (effect.type === 'send' && effect.message.type === 'batch.assign') assigned = effect.message;
    return assigned;
  }

  join(worker: MemberId): void {
    this.hear({ type: 'link.opened', member: worker, roles: ['worker'] });
    const credits = { inlineCredits: 1, threadCredits: 1 };
    this.hear({ type: 'worker.register', name: worker, device: 'cpu', tags: [], ...credits }, worker);
  }

  /** As a worker tells of one of its models, with a moment in between. */
  share(worker: MemberId, epoch: number, model: string, state: ShareState): void {
    const of = { epoch, model, version: '1+a' };
    const rest = { place: 'thread', rowsMax: 8, runMs: 1, reason: '', runsOn: 'cpu' } as const;
    this.hear({ type: 'model.described', ...of, ...batchingDefaults }, worker);
    this.hear({ type: 'share.changed', ...of, state, ...rest }, worker);
    this.hear({ type: 'tick.settled' });
  }
}

function deskWith(workers: number, models: number, state: ShareState): Desk {
  const desk = new Desk();
  desk.hear({ type: 'link.opened', member: router, roles: ['router'] });
  for (let worker = 1; worker <= workers; worker++) {
    desk.join(workerId(worker));
    for (let model = 0; model < models; model++)
      desk.share(workerId(worker), worker, `model-${model}`, state);
  }
  return desk;
}

function usPerShare(workers: number, models: number): number {
  return usOf(() => deskWith(workers, models, 'ready')) / (workers * models);
}

/** Of a model that all have in memory, while the others are as told. */
function usPerRequest(workers: number, models: number, state: ShareState): number {
  const desk = deskWith(workers, models, state);
  for (let worker = 1; worker <= workers; worker++) desk.share(workerId(worker), worker, 'wanted', 'ready');
  const of = {
    model: 'wanted',
    version: '1+a',
    attempt: 1,
    shapeKey: 'one',
    rows: 1,
    bytes: 10,
    priority: 0,
  };
  const rest = { company: 'any', avoid: '', ownersCount: 0, ownersBy: '', admitted: false } as const;
  const once = (job: number): void => {
    desk.hear({ type: 'job.enqueue', job, budgetMs: 1000, ...of, ...rest }, router);
    const assigned = desk.hear({ type: 'tick.settled' });
    if (assigned === undefined) throw new Error(`job ${job} was not given out`);
    const { batch, epoch, worker } = assigned;
    desk.hear({ type: 'batch.released', batch, epoch, rows: 1, computeMs: 1, fault: false }, worker);
    desk.hear({ type: 'tick.settled' });
  };
  let job = 0;
  for (; job < requests / 10; job++) once(job);
  return (
    usOf(() => {
      for (const until = job + requests; job < until; job++) once(job);
    }) / requests
  );
}

function workerId(number: number): MemberId {
  return `worker-${number}.cccccc`;
}

/** What one of so many nodes knows of so many models of the store, of which each is on so many nodes; 0: on all. */
class Shelf {
  private own: Place;
  private readonly stock: Stock;

  constructor(nodes: number, models: number, replicas: number) {
    const manifests = Array.from({ length: models }, (_, number) => manifestOf(number, replicas));
    const empty = Array.from({ length: nodes }, (_, number) => placeOf(number));
    const held = new Map(empty.map(({ member }) => [member.id, [] as Manifest[]]));
    for (const manifest of manifests)
      for (const holder of holdersOf(manifest, empty)) held.get(holder)?.push(manifest);
    const places = empty.map((place) => ({
      ...place,
      holdings: (held.get(place.member.id) ?? []).map(holdingOf),
    }));
    const [own, ...others] = places;
    this.own = own as Place;
    const faringOf = () => ({ state: 'ready', reason: '' }) as const;
    this.stock = new Stock({
      routes: false,
      nodes: () => ({ own: this.own, others, isLive: true }),
      faringOf,
      isServed: () => false,
    });
    this.hear({ type: 'store.opened' });
    for (const manifest of manifests) this.hear({ type: 'manifest.put', manifest });
    this.hear({ type: 'store.caughtUp' });
    this.hear({ type: 'cache.read', complete: [] });
    this.hear({ type: 'tick' });
  }

  msPerTick(): number {
    return usOf(() => this.times(() => this.hear({ type: 'tick' }))) / ticks / 1000;
  }

  msPerLookAround(): number {
    this.own = { ...this.own, state: 'draining' };
    return usOf(() => this.times(() => this.stock.uncovered)) / ticks / 1000;
  }

  private times(act: () => unknown): void {
    for (let time = 0; time < ticks; time++) act();
  }

  private hear(fact: StockFact): void {
    for (const effect of this.stock.hear(fact, 0))
      if (effect.type === 'fetch') this.hear({ type: 'fetch.ended', turn: effect.turn });
  }
}

function placeOf(number: number): Place {
  const member = { id: `node-${number}.k3f9x2ab`, roles: ['host'], endpoint: '', host: '' } as const;
  const workers = [{ id: `node-${number}-worker-1.k3f9x2ab`, device: 'cpu' }];
  return { member, state: 'serving', labels: ['zone-a'], machine: `host-${number}`, workers, holdings: [] };
}

/** Of a core's time, collecting garbage included. */
function usOf(act: () => unknown): number {
  const begun = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(begun);
  return user + system;
}
