// What is particular to membership through a store: leases judged by one's own clock and only while one hears oneself, a
// store that forgets, and entries that are refused by name.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { type NodeRecord, readRecord, writeRecord } from '../../cluster/record.js';
import type { Store } from '../../cluster/store.js';
import { protocolVersion } from '../../proto/limits.js';
import { idle, membershipOf, VirtualTown } from './stored-town.js';
import { member } from './town.js';

const lease = { beatMs: 3000, leaseMs: 12_000 };
const first = member('a', ['router']);
const second = member('b', ['scheduler']);
const third = member('c', ['health']);
const all = ['a', 'b', 'c'];
let town: VirtualTown;
let store: Store;

beforeEach(async () => {
  town = new VirtualTown(lease);
  for (const one of [first, second, third]) await town.join(one);
  await town.until('all see all', () => town.agree(all));
  const connection = town.server.connect({ away: () => {}, back: () => {}, closed: () => {} });
  store = await connection.open({ name: 'members', keepMs: 0 });
  town.notes.length = 0;
  town.said.length = 0;
});

async function passLeases(count: number): Promise<void> {
  for (let passedMs = 0; passedMs < count * lease.leaseMs; passedMs += 1000) await town.pass(1000);
}

function noted(...words: readonly string[]): string[] {
  return town.notes.filter((note) => words.every((word) => note.includes(word)));
}

test('nobody is taken for gone while all write', async () => {
  await passLeases(5);
  assert.deepEqual(town.notes, []);
});

test('a member that stands still is gone for the others, its links stay, and it comes back', async () => {
  const wake = town.freeze('c');
  await passLeases(1.5);
  assert.equal(noted('member.gone c').length, 2);
  assert.equal(noted('a: member.gone c', 'nothing new of it for 12000 ms').length, 1);
  assert.equal(await store.read('c'), undefined, 'the lowest of those who are left takes its entry out');
  assert.ok(town.agree(all), 'who is linked is there');
  assert.deepEqual(town.said, []);
  town.notes.length = 0;
  await wake();
  await passLeases(0.3);
  assert.equal(noted('member.joined c').length, 2);
  assert.deepEqual(noted('member.gone'), [], 'it judges nobody by the time that it slept');
  assert.equal(noted('c: cluster.live').length, 1);
});

test('a dead one is taken out by order, one that lives is back at its next writing', async () => {
  const wake = town.freeze('c');
  await town.tell('a', { type: 'member.evicted', member: 'c' });
  await town.pass(1000);
  assert.equal(noted('a: member.gone c', 'it was taken out by order').length, 1);
  assert.equal(await store.read('c'), undefined);
  assert.equal(noted('b: member.gone c').length, 1);
  await town.tell('a', { type: 'member.evicted', member: 'nobody' });
  await wake();
  await passLeases(0.5);
  assert.equal(noted('member.joined c').length, 2);
});

test('who does not hear itself judges nobody, and looks anew', async () => {
  const { tell } = town;
  // What a has to write does not get there; nor does what the others write get to it.
  town.tell = (id, fact) =>
    id === 'a' && fact.type === 'entry.put' ? Promise.resolve() : tell.call(town, id, fact);
  await passLeases(3);
  assert.equal(town.standing('a'), 'frozen');
  assert.deepEqual(noted('member.gone'), []);
  assert.equal(noted('a: cluster.frozen').length, 1);
  town.tell = tell;
  await passLeases(1);
  assert.equal(town.standing('a'), 'live');
  assert.deepEqual(noted('member.gone'), []);
});

test('what others have to serve, their state and who they are is counted when it changes, their beats are not', async () => {
  const membership = membershipOf(first, lease);
  const record = membership.nodes()[0] as NodeRecord;
  const counts: number[] = [];
  const put = (changes: Partial<NodeRecord>): void => {
    const entry = { key: 'b', text: writeRecord({ ...record, member: second, ...changes }), revision: 1 };
    membership.told({ type: 'entry.put', ...entry }, 0);
    counts.push(membership.changes);
  };
  put({ beat: 1 });
  put({ beat: 2, jobs: 5 });
  put({ beat: 3, models: ['one:1'] });
  put({ beat: 4, models: ['one:1'], state: 'draining' });
  membership.told({ type: 'entry.removed', key: 'b' }, 0);
  assert.deepEqual([...counts, membership.changes], [1, 1, 2, 3, 4]);
});

test('a store that has forgotten everything costs nobody their place', async () => {
  await town.centreLeaves();
  town.server.forget();
  await passLeases(10);
  await town.centreReturns();
  await town.pass(lease.beatMs);
  await town.pass(lease.beatMs);
  assert.ok(all.every((id) => town.standing(id) === 'live'));
  await passLeases(2);
  assert.ok(town.agree(all));
  assert.deepEqual(noted('member.gone'), []);
  assert.deepEqual(town.said, []);
});

test('an entry that somebody took out is put in again by whom it is about', async () => {
  await store.erase('b');
  assert.equal(noted('member.gone b', 'was taken out').length, 2);
  await town.pass(100);
  assert.equal(noted('member.joined b').length, 2);
});

test('another cluster, another protocol and rubbish are refused by name, once', async () => {
  const record = {
    ...idle,
    cluster: 'town',
    protocol: protocolVersion,
    build: '1',
    machine: 'm',
    member: member('x', ['router']),
    beat: 1,
  };
  const refusal = async (key: string, text: string): Promise<string> => {
    town.notes.length = 0;
    await store.put(key, text);
    await store.put(key, text);
    assert.equal(noted(`a: member.refused ${key}`).length, 1, key);
    assert.ok(!town.seenBy('a').includes(key));
    return noted('a: member.refused')[0] ?? '';
  };
  assert.match(
    await refusal('x', writeRecord({ ...record, cluster: 'village' })),
    /x belongs to the cluster "village", this node to "town"/,
  );
  assert.match(
    await refusal('y', JSON.stringify({ cluster: 'town', protocol: 99 })),
    /y speaks protocol version 99, this node speaks \d+/,
  );
  assert.match(await refusal('z', '{'), /the entry of z is not JSON/);
  assert.match(await refusal('w', writeRecord(record)), /the entry of w has no good member/);
  await store.put('x', writeRecord(record));
  assert.equal(noted('a: member.joined x').length, 1, 'and taken once it fits');
  assert.match(
    await refusal('x', writeRecord({ ...record, cluster: 'village' })),
    /village/,
    'and refused anew',
  );
});

test('a record says what of it is amiss', () => {
  const good = {
    ...idle,
    cluster: 'town',
    protocol: protocolVersion,
    build: '1',
    machine: 'm',
    member: member('x', ['router']),
    beat: 1,
  };
  const read = (change: object): unknown => readRecord('x', JSON.stringify({ ...good, ...change }), 'town');
  assert.deepEqual(read({}), good);
  const amiss: readonly [object, string][] = [
    [{ member: { ...good.member, roles: ['king'] } }, 'roles'],
    [{ member: { ...good.member, endpoint: 5 } }, 'member'],
    [{ state: 'asleep' }, 'state'],
    [{ models: [1] }, 'models or labels'],
    [{ workers: [{ id: 'w' }] }, 'workers'],
    [{ beat: -1 }, 'beat or jobs'],
    [{ machine: null }, 'build or machine'],
  ];
  for (const [change, what] of amiss) assert.equal(read(change), `the entry of x has no good ${what}`);
  assert.equal(readRecord('x', '[]', 'town'), 'the entry of x is no record of a node');
});

test('who hears nothing of itself asks for the watch anew, and again after a while', () => {
  const membership = membershipOf(first, lease);
  const reopens = (now: number): number =>
    membership.told({ type: 'tick' }, now).effects.filter(({ type }) => type === 'reopen').length;
  membership.told({ type: 'store.opened' }, 0);
  assert.deepEqual([3000, 6001, 9000, 12_002].map(reopens), [0, 1, 0, 1]);
  membership.told({ type: 'store.lost', reason: 'gone' }, 12_100);
  assert.equal(reopens(30_000), 0, 'there is nothing to watch');
});

test('who leaves writes no more', () => {
  const membership = membershipOf(first, lease);
  membership.told({ type: 'store.opened' }, 0);
  assert.deepEqual(membership.told({ type: 'self.leaving' }, 10).effects, [{ type: 'erase', key: 'a' }]);
  membership.told({ type: 'entry.removed', key: 'a' }, 20);
  assert.deepEqual(membership.told({ type: 'tick' }, 4000).effects, []);
});

test('who may not write says why', () => {
  const membership = membershipOf(first, lease);
  assert.equal(membership.standing().state, 'joining');
  membership.told({ type: 'store.opened' }, 0);
  membership.told({ type: 'write.failed', reason: 'no permission' }, 10);
  assert.deepEqual(membership.standing(), { state: 'joining', reason: 'no permission' });
});
