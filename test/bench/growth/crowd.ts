// A crowd of members in a process of its own: each has its entry in NATS and writes it as often as a node would. What its
// parent says goes: one of them leaves, another joins.
import { writeRecord } from '../../../cluster/record.js';
import type { Store } from '../../../cluster/store.js';
import { protocolVersion } from '../../../proto/limits.js';
import { holdingOf, manifestOf } from './models.js';
import {
  type CrowdOrder,
  type CrowdWord,
  connectTo,
  crowdId,
  membersStore,
  storedEach,
  storedModels,
} from './store.js';

await begin(JSON.parse(process.argv[2] ?? '{}') as CrowdOrder);

async function begin({ url, cluster, count, beatMs }: CrowdOrder): Promise<void> {
  const store = await membersStore(await connectTo(url, 'crowd'), cluster);
  const beats = new Float64Array(count + 1);
  const write = (number: number): Promise<number> => {
    beats[number] = (beats[number] as number) + 1;
    return store.put(crowdId(number), recordOf(number, cluster, beats[number] as number));
  };
  process.on('disconnect', () => process.exit());
  process.on('message', (word: 'leave' | 'join') => void obey(word, store, write, count));
  for (let from = 0; from < count; from += 50)
    await Promise.all(Array.from({ length: Math.min(50, count - from) }, (_, at) => write(from + at)));
  tell({ type: 'there' });
  let next = 0;
  setInterval(() => void write(next++ % (count - 1)).catch(() => {}), beatMs / count);
}

/** The last one leaves, or comes back. */
async function obey(
  word: 'leave' | 'join',
  store: Store,
  write: (number: number) => Promise<number>,
  count: number,
): Promise<void> {
  const at = performance.timeOrigin + performance.now();
  if (word === 'leave') await store.erase(crowdId(count - 1));
  else await write(count - 1);
  tell({ type: word === 'leave' ? 'left' : 'joined', at });
}

function tell(word: CrowdWord): void {
  process.send?.(word);
}

/** As large as that of a node with a few models, its own and of the store, and workers. */
function recordOf(number: number, cluster: string, beat: number): string {
  const workers = [1, 2].map((worker) => ({ id: `node-${number}-worker-${worker}.k3f9x2ab`, device: 'cpu' }));
  const holdings = Array.from({ length: storedEach }, (_, at) =>
    holdingOf(manifestOf((number * storedEach + at) % storedModels, storedEach)),
  );
  const models = ['digits:1', 'minilm:1', 'super_resolution:1', 'fraud:3'];
  const endpoint = `tcp://10.0.${number >> 8}.${number & 255}:8003`;
  const member = { id: crowdId(number), roles: ['host'], endpoint, host: '' } as const;
  const about = { cluster, protocol: protocolVersion, build: '0.1.0', machine: `host-${number}`, member };
  return writeRecord({
    ...about,
    state: 'serving',
    models,
    labels: ['zone-a'],
    workers,
    jobs: 0,
    beat,
    holdings,
  });
}
