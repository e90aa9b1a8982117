// One contract for the memberships: local, through a store in memory in virtual time, and through a real NATS.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { executable, skip } from '../nats/at-hand.js';
import { NatsServers } from '../nats/servers.js';
import { LocalTown } from './local-town.js';
import { NatsTown, VirtualTown } from './stored-town.js';
import { member, type Town } from './town.js';

const founder = member('b-founder', ['router', 'scheduler', 'health']);
const second = member('a-second', ['router']);
const third = member('c-third', ['scheduler']);
const worker = member('z-worker', ['worker'], '');
const others = [second, third, worker];
const everybody = [founder, ...others].map(({ id }) => id);

function without(...gone: readonly { readonly id: string }[]): string[] {
  return everybody.filter((id) => !gone.some((one) => one.id === id));
}

function contract(settle: () => Promise<Town>, leaseMs: number): void {
  let town: Town;
  beforeEach(async () => {
    town = await settle();
    for (const one of [founder, ...others]) await town.join(one);
    await town.until('all see all', () => town.agree(everybody));
    await town.until('all are linked', () => everybody.every((id) => town.linksOf(id).length === 3));
  });
  afterEach(() => town.close());

  test('nobody calls anybody twice, of two the lower id calls, and who can not be called calls', () => {
    assert.deepEqual([...new Set(town.said)].length, town.said.length);
    const calls = town.said.map((call) => call.split(' calls tcp://'));
    for (const [caller, called] of calls) {
      assert.ok(caller === worker.id || (caller as string) < (called as string), `${caller} calls ${called}`);
    }
    assert.ok(town.said.includes('a-second calls tcp://c-third'));
    assert.ok(town.said.includes('z-worker calls tcp://a-second'));
  });

  test('who leaves is off all lists at once', async () => {
    await town.leave(third.id);
    await town.until('nobody sees it', () => town.agree(without(third)), leaseMs / 4);
  });

  test('who is lost is off all lists after a while, and is called no more', async () => {
    await town.kill(third.id);
    await town.until('nobody sees it', () => town.agree(without(third)), 3 * leaseMs);
    assert.ok(town.said.includes('a-second hangs up on tcp://c-third'));
  });

  test('who comes back at its endpoint under another id is called again', async () => {
    await town.kill(third.id);
    const again = member('c-third-again', ['scheduler'], third.endpoint);
    await town.join(again);
    const all = [...without(third), again.id];
    await town.until('all see it', () => town.agree(all), 3 * leaseMs);
    await town.until('it is linked', () => all.every((id) => town.linksOf(id).length === 3));
  });

  test('when whatever keeps the list is away the last list stands, and afterwards it is right again', async () => {
    const watched = [second.id, third.id, worker.id];
    await town.centreLeaves();
    await town.until('they say so', () => watched.every((id) => town.standing(id) === 'frozen'));
    await town.pass(2 * leaseMs);
    for (const id of watched) {
      assert.equal(town.standing(id), 'frozen');
      for (const other of watched)
        assert.ok(town.seenBy(id).includes(other), `${id} sees ${town.seenBy(id)}`);
    }
    await town.centreReturns();
    await town.until('they live again', () => watched.every((id) => town.standing(id) === 'live'), 5000);
    const late = member('d-late', ['scheduler']);
    await town.join(late);
    await town.until('who comes now is seen', () => watched.every((id) => town.seenBy(id).includes(late.id)));
    for (const id of watched) for (const other of watched) assert.ok(town.seenBy(id).includes(other));
  });
}

const lease = { beatMs: 200, leaseMs: 1000 };

describe('local membership', () => contract(async () => new LocalTown(), lease.leaseMs));

describe('membership through a store in memory', () =>
  contract(async () => new VirtualTown({ beatMs: 3000, leaseMs: 12_000 }), 12_000));

describe('membership through NATS', { skip }, () => {
  let servers: NatsServers;
  let count = 0;
  before(async () => {
    servers = await NatsServers.start(executable);
  });
  after(() => servers.remove());
  contract(async () => new NatsTown(servers, lease, `town-${count++}`), lease.leaseMs);
});
