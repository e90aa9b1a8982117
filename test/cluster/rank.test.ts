// What a node may be at most, by its id: who may write entries of workers only lists no scheduler, however it fills them in;
// nor do so many workers fit on the list that others find no place.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mayBe, rankFor, rankOf } from '../../cluster/rank.js';
import { writeRecord } from '../../cluster/record.js';
import type { StoredMembership, StoredStep } from '../../cluster/stored.js';
import { nameOf, type Role } from '../../proto/ids.js';
import { limits, protocolVersion } from '../../proto/limits.js';
import { idle, membershipOf } from './stored-town.js';
import { member } from './town.js';

const lease = { beatMs: 3000, leaseMs: 12_000 };

function put(membership: StoredMembership, id: string, roles: readonly Role[], beat = 1): StoredStep {
  const about = { ...idle, cluster: 'town', protocol: protocolVersion, build: '1', machine: 'm', beat };
  const text = writeRecord({ ...about, member: member(id, roles) });
  return membership.told({ type: 'entry.put', key: id, text, revision: 1 }, 0);
}

function refusalIn({ effects }: StoredStep): string | undefined {
  const [said] = effects.flatMap((effect) => (effect.type === 'note' ? [effect.note] : []));
  return said?.event === 'member.refused' ? said.reason : undefined;
}

const listedBy = (membership: StoredMembership): string[] => membership.nodes().map((node) => node.member.id);

test('a rank is the lowest that may have all the roles of a node', () => {
  const ranked: readonly [readonly Role[], string][] = [
    [['router', 'scheduler', 'health', 'host'], 'scheduler'],
    [['router', 'host'], 'router'],
    [['health'], 'worker'],
    [['host'], 'worker'],
  ];
  for (const [roles, rank] of ranked) {
    assert.equal(rankFor(roles), rank);
    assert.equal(rankOf(`front.${rank}.0c1f`), rank);
    assert.equal(nameOf(`front.${rank}.0c1f`), 'front');
    assert.ok(mayBe(`front.${rank}.0c1f`, roles));
  }
  for (const id of ['worker.0c1f', 'router', 'front.king.0c1f', '.worker'])
    assert.equal(rankOf(id), undefined);
  assert.ok(mayBe('worker.0c1f', ['scheduler']), 'an earlier build says no rank');
});

describe('the list', () => {
  test('takes nobody who says to be more than its id does, and takes whom it had off', () => {
    const membership = membershipOf(member('a.router.1', ['router']), lease);
    assert.equal(refusalIn(put(membership, 'b.worker.1', ['host', 'health'])), undefined);
    assert.equal(
      refusalIn(put(membership, 'b.worker.1', ['scheduler'], 2)),
      'the entry of b.worker.1 says that it is a scheduler, and its id that it is a worker',
    );
    assert.match(String(refusalIn(put(membership, 'c.worker.1', ['router']))), /is a router.* is a worker/);
    assert.match(
      String(refusalIn(put(membership, 'c.router.1', ['scheduler']))),
      /is a scheduler.* is a router/,
    );
    assert.equal(refusalIn(put(membership, 'c.router.1', ['host'])), undefined);
    assert.equal(refusalIn(put(membership, 'old.1', ['scheduler'])), undefined);
    assert.deepEqual(listedBy(membership), ['a.router.1', 'c.router.1', 'old.1']);
  });

  test('has an end, and workers come to theirs sooner than others', () => {
    const membership = membershipOf(member('a.router.1', ['router']), lease);
    const join = (rank: 'worker' | 'scheduler'): number => {
      for (let count = 0; ; count++) {
        const newcomer = `n${count}.${rank}.1`;
        const refused = refusalIn(put(membership, newcomer, [rank === 'worker' ? 'host' : rank]));
        if (refused === undefined) continue;
        assert.match(refused, /as many members as a cluster may have, 4096/);
        assert.ok(!listedBy(membership).includes(newcomer));
        return count;
      }
    };
    const workers = join('worker');
    assert.equal(workers + join('scheduler') + 1, limits.membersMax);
    assert.ok(workers > 3000 && workers < limits.membersMax - 100, `${workers}`);
    membership.told({ type: 'entry.removed', key: 'n0.worker.1' }, 0);
    assert.equal(refusalIn(put(membership, 'next.worker.1', ['host'])), undefined, 'one went, one comes');
  });

  test('is swept by the first of those who may take out most', () => {
    const swept = (self: string, other: string): boolean => {
      const membership = membershipOf(member(self, []), lease);
      membership.told({ type: 'store.opened' }, 0);
      put(membership, 'gone.worker.1', ['host']);
      for (let now = 0; now <= 2 * lease.leaseMs; now += lease.beatMs) {
        const heard = (id: string, revision: number): StoredStep => {
          const about = { ...idle, cluster: 'town', protocol: protocolVersion, build: '1', machine: 'm' };
          const text = writeRecord({ ...about, member: member(id, []), beat: 1 + now / lease.beatMs });
          return membership.told({ type: 'entry.put', key: id, text, revision }, now);
        };
        const { effects } = membership.told({ type: 'tick' }, now);
        if (effects.some(({ type }) => type === 'remove')) return true;
        heard(self, 1);
        heard(other, now);
      }
      return false;
    };
    assert.ok(swept('z.scheduler.1', 'a.worker.1'));
    assert.ok(!swept('a.worker.1', 'z.scheduler.1'));
    assert.ok(!swept('z.router.1', 'b.router.1'));
    assert.ok(swept('old.1', 'z.scheduler.1'));
  });

  test('of a node goes by what it wrote itself: another that writes in its name deafens it for nothing', () => {
    const membership = membershipOf(member('a.worker.1', ['host']), lease);
    membership.told({ type: 'store.opened' }, 0);
    assert.equal(
      refusalIn(put(membership, 'a.worker.1', ['host'], Number.MAX_SAFE_INTEGER)),
      'somebody else has written the entry of a.worker.1',
    );
    assert.equal(membership.standing().state, 'joining');
    put(membership, 'a.worker.1', ['host'], 1);
    assert.equal(membership.standing().state, 'live');
  });
});
