// Orders to nodes as a router gives them: who is meant, who is needed, and what becomes of those that are dead.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import { Orders } from '../../runtime/node/orders.js';
import { member } from '../cluster/town.js';

const all = [
  member('front.aa', ['router', 'scheduler']),
  member('back.bb', ['router', 'scheduler']),
  member('one.ca', ['host']),
  member('one.cb', ['host']),
  member('dead.dd', ['host']),
  member('one-worker-1.ee', ['worker']),
];

function ordersWith(control: 'on' | 'off' = 'on'): { orders: Orders; evicted: string[]; given: Effect[] } {
  const evicted: string[] = [];
  const given: Effect[] = [];
  const orders: Orders = new Orders({
    control,
    members: () => all,
    isLinked: (id) => id !== 'dead.dd',
    perform: (effects) => {
      given.push(...effects);
      const [effect] = effects;
      if (effect?.type !== 'send' || effect.message.type !== 'node.order') return;
      const { asked } = effect.message;
      const isStarting = effect.to === 'back.bb';
      const reason = isStarting ? 'it is starting and takes no orders' : '';
      orders.receive({ type: 'node.answered', asked, state: 'draining', reason }, effect.to);
    },
    evict: (id) => evicted.push(id),
  });
  return { orders, evicted, given };
}

test('a node is named by its id, its name or the beginning of its id, where that is one alone', async () => {
  const { orders } = ordersWith();
  for (const name of ['front.aa', 'front', 'fr']) {
    assert.deepEqual(await orders.give(name, 'drain', false), { node: 'front.aa', state: 'draining' });
  }
  await assert.rejects(orders.give('one', 'drain', false), /"one" may be one\.ca, one\.cb: say which/);
  await assert.rejects(orders.give('', 'drain', false), { code: 'NODE_UNKNOWN' });
  await assert.rejects(orders.give('one-worker-1', 'drain', false), /is a worker process/);
});

test('a dead one is taken off the list, and can be given no other order', async () => {
  const { orders, evicted, given } = ordersWith();
  await assert.rejects(orders.give('dead', 'drain', false), { code: 'NODE_UNREACHABLE' });
  assert.deepEqual(await orders.give('dead', 'remove', false), { node: 'dead.dd', state: 'gone' });
  assert.deepEqual([evicted, given], [['dead.dd'], []]);
});

test('one that follows no order says why, and where orders are off nobody is asked', async () => {
  await assert.rejects(
    ordersWith().orders.give('back', 'drain', false),
    /back\.bb did not follow: it is starting/,
  );
  const { orders, given } = ordersWith('off');
  await assert.rejects(orders.give('front', 'drain', true), /its setting clusterControl is off/);
  assert.deepEqual(given, []);
});

test('the last of those that serve is needed, whoever else drains or is dead', async () => {
  const { orders, given } = ordersWith();
  const drained = { type: 'node.reported', state: 'drained', requests: 0, waiting: 0, workers: 0 } as const;
  orders.receive(drained, 'one.cb');
  await assert.rejects(orders.give('one.ca', 'drain', false), { code: 'NODE_NEEDED' });
  await orders.give('one.ca', 'drain', true);
  const [order] = given;
  assert.ok(order?.type === 'send' && order.message.type === 'node.order' && order.message.last);
  await orders.give('one.ca', 'undrain', false);
});
