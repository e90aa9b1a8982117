// Local membership: the founder keeps the list, the others call whom they have to, nobody is called twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalMembership } from '../../cluster/local.js';
import type { Member, Membership, Step } from '../../cluster/membership.js';
import type { Role } from '../../proto/ids.js';

function member(id: string, roles: readonly Role[], endpoint = `tcp://${id}`): Member {
  return { id, roles, endpoint, host: '' };
}

const founder = member('b-founder', ['router', 'scheduler', 'health']);
const second = member('a-second', ['router']);
const third = member('c-third', ['scheduler']);
const worker = member('z-worker', ['worker'], '');

/** Carries out steps between memberships that all link to the founder, until nobody has anything to do. */
function settle(sides: Map<string, { self: Member; side: Membership }>, from: string, step: Step): string[] {
  const dialled = step.dial.map((endpoint) => `${from} calls ${endpoint}`);
  for (const { to, message } of step.tell) {
    const other = sides.get(to);
    if (other !== undefined) dialled.push(...settle(sides, to, other.side.heard(message, from)));
  }
  return dialled;
}

function cluster(members: readonly Member[]): Map<string, { self: Member; side: Membership }> {
  return new Map(
    members.map((self) => [self.id, { self, side: new LocalMembership(self, self.id === founder.id) }]),
  );
}

function join(sides: Map<string, { self: Member; side: Membership }>, joiner: Member): string[] {
  const joined = sides.get(joiner.id)?.side as Membership;
  const kept = sides.get(founder.id)?.side as Membership;
  return [
    ...settle(sides, joiner.id, joined.opened(founder)),
    ...settle(sides, founder.id, kept.opened(joiner)),
  ];
}

test('who joins the founder hears of the others, and of two that can be called the lower id calls', () => {
  const sides = cluster([founder, second, third, worker]);
  assert.deepEqual(join(sides, second), []);
  assert.deepEqual(join(sides, third), ['a-second calls tcp://c-third']);
  assert.deepEqual(join(sides, worker).sort(), [
    'a-second calls tcp://c-third',
    'z-worker calls tcp://a-second',
    'z-worker calls tcp://c-third',
  ]);
  for (const { side } of sides.values()) {
    assert.deepEqual(
      side
        .members()
        .map(({ id }) => id)
        .sort(),
      ['a-second', 'b-founder', 'c-third', 'z-worker'],
    );
  }
});

test('who is linked already is not called again', () => {
  const sides = cluster([founder, second, third]);
  join(sides, second);
  sides.get(second.id)?.side.opened(third);
  assert.deepEqual(join(sides, third), []);
});

test('a member that is lost or leaves is off the list of all', () => {
  const sides = cluster([founder, second, third]);
  join(sides, second);
  join(sides, third);
  const kept = sides.get(founder.id)?.side as Membership;
  settle(sides, founder.id, kept.lost(third.id));
  assert.deepEqual(
    sides
      .get(second.id)
      ?.side.members()
      .map(({ id }) => id),
    ['b-founder', 'a-second'],
  );
  settle(sides, founder.id, kept.heard({ type: 'member.left', member: second.id, reason: '' }, second.id));
  assert.deepEqual(
    kept.members().map(({ id }) => id),
    ['b-founder'],
  );
  assert.deepEqual(kept.lost('nobody'), { dial: [], hangUp: [], tell: [] });
});

test('without its founder a member keeps the last list', () => {
  const sides = cluster([founder, second, third]);
  join(sides, second);
  join(sides, third);
  const side = sides.get(second.id)?.side as Membership;
  side.lost(founder.id);
  assert.equal(side.members().length, 3);
});

/** The word of a founder that lists so many. */
function hear(side: Membership, ...listed: readonly Member[]): Step {
  const members = listed.map(({ id, roles, endpoint, host }) => [id, roles, endpoint, host] as const);
  return side.heard({ type: 'members.listed', revision: 1, members }, founder.id);
}

test('who was called and is neither listed nor linked any more is hung up on', () => {
  const side = new LocalMembership(second, false);
  side.opened(founder);
  assert.deepEqual(hear(side, founder, second, third).dial, [third.endpoint]);
  side.opened(third);
  // A founder that began anew lists few at first.
  assert.deepEqual(hear(side, founder, second), { dial: [], hangUp: [], tell: [] });
  assert.deepEqual(side.lost(third.id).hangUp, [third.endpoint]);
  assert.deepEqual(side.lost(third.id).hangUp, []);
});

test('who is listed is called until the list has it no more', () => {
  const side = new LocalMembership(second, false);
  side.opened(founder);
  hear(side, founder, second, third);
  side.opened(third);
  assert.deepEqual(side.lost(third.id).hangUp, []);
  const again = member('c-third-again', ['scheduler'], 'tcp://elsewhere');
  const step = hear(side, founder, second, again);
  assert.deepEqual([step.dial, step.hangUp], [['tcp://elsewhere'], [third.endpoint]]);
  const sameplace = member('c-third-thrice', ['scheduler'], 'tcp://elsewhere');
  assert.deepEqual(hear(side, founder, second, sameplace).hangUp, [], 'it begins anew at its endpoint');
  assert.deepEqual(side.lost(founder.id).hangUp, [], 'nobody has to be called who was not listed');
});

test('only the founder lists: the word of another changes nothing there', () => {
  const side = new LocalMembership(founder, true);
  side.heard({ type: 'members.listed', revision: 9, members: [['x', ['router'], 'tcp://x', '']] }, 'x');
  assert.deepEqual(
    side.members().map(({ id }) => id),
    ['b-founder'],
  );
});
