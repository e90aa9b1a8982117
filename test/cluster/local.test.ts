// What is particular to local membership: a founder that keeps the list and may begin anew. (What it shares with its sibling
// is in membership.test.ts.)
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

test('who is linked already is not called again', () => {
  const sides = cluster([founder, second, third]);
  join(sides, second);
  sides.get(second.id)?.side.opened(third);
  assert.deepEqual(join(sides, third), []);
});

/** The word of a founder that lists so many. */
function hear(side: Membership, ...listed: readonly Member[]): Step {
  const members = listed.map(({ id, roles, endpoint, host }) => [id, roles, endpoint, host] as const);
  return side.heard({ type: 'members.listed', revision: 1, members }, founder.id);
}

test('who is listed twice before a link opens is called once', () => {
  const side = new LocalMembership(second, false);
  side.opened(founder);
  assert.deepEqual(hear(side, founder, second, third).dial, [third.endpoint]);
  assert.deepEqual(hear(side, founder, second, third).dial, []);
});

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
