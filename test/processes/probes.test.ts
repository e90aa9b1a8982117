// Probes of nodes without a router: a scheduler is ready when a router is linked to it, a node with workers when they have
// what they are to have, or can't have it; and neither is any more while it is drained or about to stop.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { apart, RunningNode, Scratch, until } from './harness.js';
import { ModelFolder } from './repository.js';

describe('probes of each role', () => {
  const scratch = new Scratch();
  const nodes: RunningNode[] = [];
  let flags: Record<string, string | number>;
  let endpoint: string;

  function start(role: string, more: Record<string, string | number> = {}): RunningNode {
    const node = new RunningNode({ flags: { ...flags, role, name: role, 'health-port': 0, ...more } });
    nodes.push(node);
    return node;
  }

  /** Empty when it is ready, else why not. */
  async function unready(node: RunningNode): Promise<string> {
    const opened = node.lines.find(({ event, door }) => event === 'door.opened' && door === 'health');
    if (opened === undefined) return 'no door yet';
    const answer = await fetch(`http://127.0.0.1:${String(opened.port)}/v2/health/ready`);
    const told = (await answer.json()) as { ready?: boolean; error?: string };
    assert.equal(answer.status, told.ready === true ? 200 : 503);
    return told.error ?? '';
  }

  const says = (node: RunningNode, what: RegExp): Promise<void> =>
    until(`${what}: ${node.tail()}`, async () => what.test(await unready(node)));

  async function order(router: RunningNode, node: string, action: string): Promise<void> {
    const url = `${router.url}/v2/signalbox/cluster/${node}/${action}`;
    const answer = await fetch(url, { method: 'POST', body: '{}' });
    assert.equal(answer.status, 200, await answer.text());
  }

  let router: RunningNode;
  let scheduler: RunningNode;
  let worker: RunningNode;

  before(() => {
    const models = new ModelFolder(scratch).simulated('steady').onnx('broken', Buffer.from('no model'));
    const { endpoint: place, ...rest } = apart(scratch, models.folder);
    endpoint = String(place);
    flags = { ...rest, 'worker-count': 1 };
  });
  after(async () => {
    await Promise.all(nodes.map((node) => node.dispose()));
    scratch.remove();
  });

  test('a scheduler waits for a router', async () => {
    scheduler = start('scheduler', { join: endpoint, endpoint: scratch.endpoint() });
    await says(scheduler, /no list of the members has come|linked to no router/);
    router = start('router', { endpoint });
    await says(scheduler, /^$/);
    await says(router, /no worker has .* ready/);
  });

  test('a node with workers waits until they have loaded what can be loaded', async () => {
    worker = start('worker', { join: endpoint });
    await says(worker, /no list of the members|its worker worker-worker-1\.\w+: |are there/);
    await says(worker, /^$/);
    await says(router, /^$/);
    const [first] = worker.workers();
    process.kill(first?.pid as number, 'SIGKILL');
    await says(worker, /its 1 workers|is starting|no scheduler|being loaded/);
    await says(worker, /^$/);
  });

  test('who is drained is not ready, and is again when it is wanted back', async () => {
    const second = start('worker', { join: endpoint, name: 'second' });
    await says(second, /^$/);
    await order(router, 'second', 'drain');
    await says(second, /it is (draining|drained) by order; undrain it/);
    await order(router, 'second', 'undrain');
    await says(second, /^$/);
  });

  test('who has another port in mind that is taken does not start', async () => {
    const opened = worker.lines.find(({ door }) => door === 'health');
    const taken = start('worker', { join: endpoint, name: 'taken', 'health-port': Number(opened?.port) });
    assert.equal((await taken.ended).code, 1);
    assert.match(taken.output, /is in use by another program; choose another with --health-port/);
  });
});
