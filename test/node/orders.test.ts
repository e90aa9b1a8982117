// Orders to nodes as somebody gives them to a router: who is meant, and what becomes of those that are dead.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fact } from '../../actors/facts.js';
import { Orders } from '../../runtime/node/orders.js';
import { member } from '../cluster/town.js';

const all = [
  member('front.aa', ['router', 'scheduler']),
  member('back.bb', ['router', 'scheduler']),
  member('one.ca', ['host']),
  member('one.cb', ['host']),
  member('dead.dd', ['host']),
  member('again.da', ['host']),
  member('again.db', ['host']),
  member('one-worker-1.ee', ['worker']),
];

function ordersWith(control: 'on' | 'off' = 'on'): { orders: Orders; evicted: string[]; given: Fact[] } {
  const evicted: string[] = [];
  const given: Fact[] = [];
  const orders: Orders = new Orders({
    control,
    members: () => all,
    isLinked: (id) => id !== 'dead.dd' && id !== 'again.da',
    hear: (fact) => {
      given.push(fact);
      if (fact.type !== 'order.given') return;
      const refused = { code: 'NODE_UNREACHABLE', reason: 'back.bb did not follow' } as const;
      const said = fact.node === 'back.bb' ? refused : ({ code: '', reason: '' } as const);
      orders.ordered({ type: 'ordered', asked: fact.asked, state: 'draining', ...said });
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

test('of one that was killed and started again the living is meant, but where either may be to be removed', async () => {
  const { orders, evicted } = ordersWith();
  for (const action of ['drain', 'undrain'] as const)
    assert.equal((await orders.give('again', action, false)).node, 'again.db');
  await assert.rejects(
    orders.give('again', 'remove', false),
    /"again" may be again\.da \(no link to it\), again\.db: say which/,
  );
  assert.equal((await orders.give('again.da', 'remove', false)).state, 'gone');
  assert.deepEqual(evicted, ['again.da']);
});

test('what the warden says of an order is the answer, and where orders are off nobody is asked', async () => {
  await assert.rejects(ordersWith().orders.give('back', 'drain', false), { code: 'NODE_UNREACHABLE' });
  const { orders, given } = ordersWith('off');
  await assert.rejects(orders.give('front', 'drain', true), /its setting clusterControl is off/);
  assert.deepEqual(given, []);
});
