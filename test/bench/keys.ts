// What keys cost: frames to another process and back over tcp, with keys and without in turns, small and large ones; in
// processor time of one side too, which says the same on a machine that is busy.
import type { LinkId, Transport } from '../../runtime/post/transport.js';
import { ringWith, type Sibling, zeromqSibling } from '../post/siblings.js';
import { Exchanges } from './exchanges.js';
import { type Args, interleave, median, saySpread } from './figures.js';

export const about = 'exchanges over tcp per second, and what each costs one side, with keys and without';
export const flags = {
  small: 'how many exchanges of 1 KB a round has (5000)',
  large: 'how many of 600 KB (200)',
  rounds: 'how many rounds (5)',
};

const smallBytes = 1000;
const largeBytes = 600_000;

export async function run(args: Args): Promise<Record<string, number>> {
  const [plain, keyed] = [zeromqSibling('tcp'), zeromqSibling('tcp', ringWith())];
  const callers = { plain: await Caller.to(plain), keyed: await Caller.to(keyed) };
  const [small, large] = [args.number('small', 5000), args.number('large', 200)];
  const costs = new Map<string, number[]>();
  const round =
    (name: string, caller: Caller, underWay: number, exchanges: number, bytes: number) => async () => {
      const before = process.cpuUsage();
      const perSecond = await caller.perSecond(underWay, exchanges, bytes);
      const { user, system } = process.cpuUsage(before);
      costs.set(name, [...(costs.get(name) ?? []), (user + system) / exchanges]);
      return perSecond;
    };
  const figures = await interleave(args.number('rounds', 5), {
    smallPlain: round('smallPlain', callers.plain, 64, small, smallBytes),
    smallKeyed: round('smallKeyed', callers.keyed, 64, small, smallBytes),
    largePlain: round('largePlain', callers.plain, 8, large, largeBytes),
    largeKeyed: round('largeKeyed', callers.keyed, 8, large, largeBytes),
  });
  await Promise.all(Object.values(callers).map((caller) => caller.end()));
  for (const [name, figure] of Object.entries(figures)) saySpread(`exchanges per second, ${name}`, figure);
  const cost = (name: string): number => median(costs.get(name) ?? []);
  return {
    smallKeyedRatio: figures.smallKeyed.median / figures.smallPlain.median,
    largeKeyedRatio: figures.largeKeyed.median / figures.largePlain.median,
    smallPlainCpuMicros: cost('smallPlain'),
    smallKeyedCpuMicros: cost('smallKeyed'),
    largePlainCpuMicros: cost('largePlain'),
    largeKeyedCpuMicros: cost('largeKeyed'),
  };
}

class Caller {
  readonly #sibling: Sibling;
  readonly #transport: Transport;
  #link: LinkId = '';
  #peer: { kill(): void } = { kill: () => {} };
  readonly #exchanges = new Exchanges();

  static async to(sibling: Sibling): Promise<Caller> {
    const caller = new Caller(sibling);
    const greeted = new Promise<void>((resolve) => {
      caller.#exchanges.answered = resolve;
    });
    const endpoint = await caller.#transport.bind(sibling.endpoint());
    caller.#peer = await sibling.peer('dial', endpoint, 'echo.1');
    await greeted;
    return caller;
  }

  private constructor(sibling: Sibling) {
    this.#sibling = sibling;
    this.#transport = sibling.factory('caller.1', {
      opened: (link) => {
        this.#link = link;
      },
      received: () => this.#exchanges.answered(),
      lost: () => {},
    });
  }

  perSecond(underWay: number, exchanges: number, bytes: number): Promise<number> {
    const frame = Buffer.alloc(bytes, 7);
    return this.#exchanges.perSecond(underWay, exchanges, () => this.#transport.send(this.#link, [frame]));
  }

  async end(): Promise<void> {
    await this.#transport.close(0);
    this.#peer.kill();
    this.#sibling.end();
  }
}
