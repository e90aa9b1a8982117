// A rolling restart, and growing and shrinking, under load and without one error at a client: stock gRPC clients that know
// two addresses, and REST clients behind what a load balancer does: ask who is ready now and then, and go there.
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { GrpcClient, rowOf } from './client.js';
import { apart, pause, RunningNode, Scratch, until } from './harness.js';
import { Load } from './load.js';
import { ModelFolder } from './repository.js';

const lookMs = 50;
const lameDuckMs = 1000;
const kinds = {
  'front-a': 'router',
  'front-b': 'router',
  'plan-a': 'scheduler,health',
  'plan-b': 'scheduler,health',
  left: 'worker',
  right: 'worker',
} as const;
type Name = keyof typeof kinds | 'extra';

describe('a rolling restart', () => {
  const scratch = new Scratch();
  const nodes = new Map<Name, RunningNode>();
  const places = new Map<Name, Record<string, string | number>>();
  const loads: Load[] = [];
  const clients: GrpcClient[] = [];
  /** By worker's name: when it last answered. */
  const seenAt = new Map<string, number>();
  let answered = 0;
  let rest: RestLoad;

  function start(name: Name): RunningNode {
    const node = new RunningNode({ flags: { ...places.get(name), name } });
    nodes.set(name, node);
    return node;
  }

  const named = (name: Name): RunningNode => nodes.get(name) as RunningNode;

  before(async () => {
    const models = new ModelFolder(scratch)
      .simulated('one', { alphaMs: 20 })
      .simulated('two', { alphaMs: 30 }).folder;
    const { endpoint: first, ...common } = apart(scratch, models);
    const endpoint = String(first);
    for (const [name, role] of [...Object.entries(kinds), ['extra', 'worker']] as [Name, string][]) {
      const place = name === 'front-a' ? { endpoint } : { join: endpoint, endpoint: scratch.endpoint() };
      places.set(name, { ...common, ...place, role, 'worker-count': 1, 'lame-duck-ms': lameDuckMs });
    }
    await start('front-a').event('node.serving');
    for (const name of Object.keys(kinds) as Name[]) if (name !== 'front-a') start(name);
    await Promise.all([...nodes.values()].map((node) => node.ready()));
    const ports = (['front-a', 'front-b'] as const).map((name) => {
      const { httpPort, grpcPort } = named(name);
      places.set(name, { ...places.get(name), 'http-port': httpPort, 'grpc-port': grpcPort });
      return { httpPort, grpcPort };
    });
    const [one, other] = ports.map(({ grpcPort }) => grpcPort) as [number, number];
    for (const [first, second] of [
      [one, other],
      [other, one],
    ] as const) {
      // Both addresses, in the order in which the client tries them.
      const client = new GrpcClient(second, `ipv4:127.0.0.1:${first},127.0.0.1`);
      clients.push(client);
      for (const model of ['one', 'two']) {
        const told = { told: ({ path }: { path: string }) => note(path), answered: () => answered++ };
        loads.push(new Load(client, { model, unary: 2, ...told }).start());
      }
    }
    rest = new RestLoad(ports.map(({ httpPort }) => httpPort));
    await until('load is under way', () => answered > 100 && rest.answered > 20);
  });
  after(async () => {
    await rest?.stop();
    await Promise.all(loads.map((load) => load.stop()));
    for (const client of clients) client.close();
    await Promise.all([...nodes.values()].map((node) => node.dispose()));
    scratch.remove();
  });

  function note(path: string): void {
    const worker = /assigned@[^(]*\(([^).]*)/.exec(path)?.[1];
    if (worker !== undefined) seenAt.set(worker.replace(/-worker-1$/, ''), performance.now());
  }

  function failures(): string[] {
    return [...rest.errors, ...loads.flatMap((load) => load.failuresSeen)];
  }

  /** How long it takes from the start of its process to its first answer. */
  async function joins(name: Name): Promise<number> {
    const begunAt = performance.now();
    await start(name).ready();
    if (places.get(name)?.['role'] === 'worker')
      await until(`${name} does something`, () => (seenAt.get(name) ?? 0) > begunAt);
    return performance.now() - begunAt;
  }

  async function ends(name: Name): Promise<number> {
    const begunAt = performance.now();
    assert.deepEqual(await named(name).stop(), { code: 0, signal: null }, named(name).tail());
    return performance.now() - begunAt;
  }

  for (const name of Object.keys(kinds) as Name[]) {
    test(`of ${name}, ${kinds[name as keyof typeof kinds]}, is seen by nobody`, async (t) => {
      const drainMs = await ends(name);
      const joinMs = await joins(name);
      const reached = answered;
      await until('answers go on', () => answered > reached + 40);
      assert.deepEqual(failures(), [], [...nodes.values()].map((node) => node.tail()).join('\n'));
      t.diagnostic(`ended in ${drainMs.toFixed(0)} ms, at work again after ${joinMs.toFixed(0)} ms`);
    });
  }

  test('a node more and a node less are seen by nobody either', async (t) => {
    const joinMs = await joins('extra');
    const drainMs = await ends('extra');
    assert.deepEqual(failures(), []);
    t.diagnostic(`joined to its first answer in ${joinMs.toFixed(0)} ms, ended in ${drainMs.toFixed(0)} ms`);
  });
});

/** Asks whoever said last that it is ready. */
class RestLoad {
  readonly errors: string[] = [];
  answered = 0;
  private readonly agent = new Agent({ keepAlive: true });
  private readonly loops: Promise<void>[] = [];
  private ready: readonly number[];
  private isStopping = false;
  private count = 0;

  constructor(ports: readonly number[]) {
    this.ready = ports;
    this.loops.push(this.look(ports));
    for (let client = 0; client < 3; client++) this.loops.push(this.ask());
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    await Promise.all(this.loops);
    this.agent.destroy();
  }

  private async look(ports: readonly number[]): Promise<void> {
    while (!this.isStopping) {
      const asked = await Promise.all(
        ports.map((port) =>
          fetch(`http://127.0.0.1:${port}/v2/health/ready`, { headers: { connection: 'close' } }).then(
            async (answer) => (await answer.text()) !== '' && answer.ok,
            () => false,
          ),
        ),
      );
      const ready = ports.filter((_, at) => asked[at]);
      if (ready.length > 0) this.ready = ready;
      await pause(lookMs);
    }
  }

  private async ask(): Promise<void> {
    while (!this.isStopping) {
      const value = ++this.count;
      const port = this.ready[value % this.ready.length] as number;
      const fault = await this.infer(port, value);
      if (fault !== '') this.errors.push(`REST at ${port}: ${fault}`);
      else this.answered++;
      await pause(20);
    }
  }

  /** Why it went wrong; empty when it did not. */
  private infer(port: number, value: number): Promise<string> {
    const { shape, data } = rowOf('one', value);
    const body = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape, data: [...data] }] });
    const { agent } = this;
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    return new Promise((resolve) => {
      const options = { port, path: '/v2/models/one/infer', method: 'POST', agent, headers };
      const asked = request(options, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.on('error', (fault) => resolve(fault.message));
        answer.on('end', () => resolve(answer.statusCode === 200 ? '' : `${answer.statusCode} ${text}`));
      });
      asked.on('error', (fault) => resolve(fault.message));
      asked.end(body);
    });
  }
}
