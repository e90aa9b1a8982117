// What the store of models is told of this node, and what of it the node is to do: the supply in its surroundings.
import type { NodeRecord } from '../../cluster/record.js';
import type { Faring } from '../../cluster/stock.js';
import type { ConnectionEvents } from '../../cluster/store.js';
import { modelKey } from '../../proto/ids.js';
import { ownCacheFolder } from '../config/places.js';
import type { Config } from '../config/schema.js';
import { Supply } from '../distribution/supply.js';
import type { Log } from '../log.js';
import { natsOptions } from '../membership/access.js';
import type { Presence } from '../membership/presence.js';
import { editionOf, type ModelEntry, needsWorker } from '../models/entry.js';
import type { Shelf } from '../models/shelf.js';
import type { Children } from '../supervise/children.js';
import type { Standing } from '../supervise/outcomes.js';
import type { Catalogue } from './catalogue.js';
import type { NodeEngine } from './engine.js';
import type { Keeper } from './keeper.js';
import type { Plan } from './plan.js';

/** Models are known at once where the store answers at all: a node is not kept from starting by one that does not. */
const startMostMs = 5000;

interface Around {
  readonly config: Config;
  readonly plan: Plan;
  readonly log: Log;
  readonly presence: Presence;
  readonly shelf: Shelf;
  readonly keeper: Keeper;
  readonly catalogue: Catalogue;
  readonly children: Children;
  readonly engine: NodeEngine;
}

export function supplyOf({ config, plan, log, presence, ...around }: Around): Supply {
  const { shelf, keeper, catalogue, children, engine } = around;
  const routes = plan.serves.has('router');
  const access = natsOptions(config, `${plan.self.id}-models`);
  const supply: Supply = new Supply({
    cluster: config.cluster,
    cacheFolder: config.cacheFolder || ownCacheFolder(),
    log,
    connect: async (events: ConnectionEvents) => {
      // Who is refused asks to be let in by one of its two connections, and by the other when that is in.
      if (presence.outside !== '') throw new Error(presence.outside);
      const { connectNats } = await import('../../cluster/nats.js');
      return connectNats(access, events);
    },
    routes,
    shelf,
    startMs: Math.min(config.natsWaitMs, startMostMs),
    nodes: () => {
      const [own, ...others] = presence.nodes();
      return { own: staffed(own as NodeRecord, config, plan), others, isLive: presence.isLive };
    },
    offer: (model) => keeper.offer(model),
    faringOf: (entry) => {
      const standing = children.standingOf(modelKey(entry.name, editionOf(entry)));
      const mayRest = rests(entry, config) && (routes || supply.hasCome(entry));
      const isReady = mayRest || !needsWorker(entry) || plan.workerNames.length === 0;
      return faringOf(standing, isReady);
    },
    serves: (model, edition) => catalogue.serves(model, edition),
    announce: () => keeper.announce(),
    changed: () => {
      presence.renew();
      engine.readinessChanged();
    },
  });
  engine.supply = supply;
  catalogue.isElsewhere = (entry) => supply.isElsewhere(entry);
  // With a router its catalogue knows what serves until something takes over.
  if (!routes) {
    catalogue.former = () => supply.former();
    catalogue.isToCome = (entry) => entry.isShared === true && !supply.hasCome(entry);
  }
  return supply;
}

/** What nobody has tried may be ready without that. What leaves is loaded anew first. */
export function faringOf(standing: Standing, isReadyUntried: boolean): Faring {
  if (standing.state === 'failed') return { state: 'failed', reason: standing.reason };
  const isReady = standing.state === 'loaded' || (standing.state === 'untried' && isReadyUntried);
  return { state: isReady ? 'ready' : 'loading', reason: '' };
}

/** It may be there without being in the memory of any worker. */
function rests({ config }: ModelEntry, { modelMemoryMb }: Config): boolean {
  return config.load === 'demand' || modelMemoryMb > 0;
}

/** Before its workers have said what they run on, and while they begin anew, it is what they were told to. */
function staffed(own: NodeRecord, { device }: Config, { workerNames }: Plan): NodeRecord {
  if (own.workers.length > 0 && own.workers.every((worker) => worker.device !== '')) return own;
  const devices = device.split(',');
  const planned = workerNames.map((id, at) => ({ id, device: devices[at % devices.length] as string }));
  return { ...own, workers: planned };
}
