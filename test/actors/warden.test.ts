// The warden of drains: who is needed, which models nobody else could take, and that of drains at the same moment, whichever
// routers give them and however their messages come, those that would leave nobody are refused.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Ordered } from '../../actors/effects.js';
import { Doubts } from '../../actors/node/doubts.js';
import type { WardenOptions } from '../../actors/node/warden.js';
import type { MemberId } from '../../proto/ids.js';
import { limits } from '../../proto/limits.js';
import { Random } from '../simulation/random.js';
import { only, said } from './stage.js';
import { hosts, members, models, plan, routers, WardenStage as Stage, serving } from './warden-stage.js';

describe('a drain', () => {
  test('goes out when the other routers and a scheduler have been heard', () => {
    const stage = new Stage();
    const asked = stage.give('front.aa', 'mid.ee');
    assert.equal(stage.ends.size, 0);
    stage.settle();
    assert.deepEqual(stage.ends.get(asked), {
      type: 'ordered',
      asked,
      state: 'draining',
      code: '',
      reason: '',
    });
    assert.deepEqual([...stage.drained], ['mid.ee']);
  });

  test('is refused where nobody else does what the node does, with who might', () => {
    const stage = new Stage();
    for (const host of ['left.dd', 'mid.ee']) {
      stage.hear('front.aa', { type: 'node.reported', state: 'drained', ...serving }, host);
    }
    const asked = stage.give('front.aa', 'right.ff');
    stage.settle();
    assert.equal(stage.ends.get(asked)?.code, 'NODE_NEEDED');
    assert.equal(
      stage.ends.get(asked)?.reason,
      'right.ff is the last serving node that has workers: requests would find nobody (left.dd is drained; mid.ee is ' +
        'drained). Start another, or undrain one that is drained, first, or use force',
    );
  });

  test('is refused where nobody else has a model, or could take it; with force it goes, and finishes what there is', () => {
    const stage = new Stage();
    const asked = stage.give('front.aa', 'right.ff');
    stage.settle();
    assert.equal(
      stage.ends.get(asked)?.reason,
      'only workers of right.ff have sole:1, and no other serving node can take it: requests for it would find nobody. ' +
        'Start a node that has or takes it first, or use force',
    );
    const forced = stage.give('front.aa', 'right.ff', 'drain', true);
    let last: boolean | undefined;
    while (stage.step()) {
      const orders = [...stage.lines.values()].flat().filter(({ message }) => message.type === 'node.order');
      for (const { message } of orders) if (message.type === 'node.order') last = message.last;
    }
    assert.equal(stage.ends.get(forced)?.code, '');
    assert.equal(last, true);
  });

  test('goes where another node could fetch the model from the store, and not where all of those are away', () => {
    const able =
      (...ids: string[]): WardenOptions['takers'] =>
      (_model, _version, without) => ({
        able: ids.filter((id) => !without.has(id)),
        unable: ["mid.ee can't have it: its file is corrupt"],
      });
    const free = new Stage({ takers: able('left.dd') });
    const asked = free.give('front.aa', 'right.ff');
    free.settle();
    assert.equal(free.ends.get(asked)?.code, '');
    const away = new Stage({ takers: able('left.dd') });
    away.hear('rear.bb', { type: 'node.reported', state: 'drained', ...serving }, 'left.dd');
    const other = away.give('front.aa', 'right.ff');
    away.settle();
    assert.match(
      away.ends.get(other)?.reason ?? '',
      /sole:1, .*\(mid\.ee can't have it: its file is corrupt\)/,
    );
  });

  test('counts nobody as a taker who is killed or silent, though it is listed yet', () => {
    const takers = () => ({ able: ['left.dd', 'plan.cc'], unable: [] });
    let isKilled = true;
    const stage = new Stage({ takers, isLinked: (id) => id !== 'left.dd' || !isKilled });
    stage.hear('front.aa', { type: 'peer.judged', member: plan, verdict: 'down', reason: 'silent' });
    const asked = stage.give('front.aa', 'right.ff');
    stage.settle();
    assert.match(
      stage.ends.get(asked)?.reason ?? '',
      /have sole:1, .*\(left\.dd has no link to this router; plan\.cc is silent\)/,
    );
    isKilled = false;
    const back = stage.give('front.aa', 'right.ff');
    stage.settle();
    assert.equal(stage.ends.get(back)?.code, '');
  });

  test('does not wait for a router that says nothing, nor for one that is lost', () => {
    const stage = new Stage();
    const asked = stage.give('front.aa', 'left.dd');
    stage.lines.clear();
    stage.passes('front.aa');
    stage.settle();
    assert.equal(stage.ends.get(asked)?.code, '');
    const lost = stage.give('front.aa', 'left.dd');
    stage.hear('front.aa', { type: 'link.lost', member: 'rear.bb', reason: 'gone' });
    stage.settle();
    assert.equal(stage.ends.get(lost)?.code, '');
  });

  test('is put off while no scheduler can tell what its workers have: it is silent, new, or lost', () => {
    const stage = new Stage();
    const silent = (): void => {
      stage.settle();
      stage.passes('front.aa');
    };
    const fresh = (): void => {
      stage.hear('front.aa', { type: 'drain.noted', asked: stage.asked, away: [], claimed: [] }, 'rear.bb');
      const unknown = ['left-worker.dd'];
      stage.hear('front.aa', { type: 'soles.told', asked: stage.asked, models: [], unknown }, plan);
    };
    const lost = (): void =>
      void stage.hear('front.aa', { type: 'link.lost', member: plan, reason: 'killed' });
    const cases = [
      [silent, 'did not answer within 500 ms'],
      [fresh, 'has just started and does not know its workers yet'],
      [lost, 'has no link to this router'],
    ] as const;
    stage.isPlanSilent = true;
    for (const [happens, why] of cases) {
      const asked = stage.give('front.aa', 'left.dd');
      happens();
      stage.settle();
      const { code, reason } = stage.ends.get(asked) ?? {};
      assert.equal(code, 'NODE_UNREACHABLE');
      assert.equal(
        reason,
        `no scheduler could tell whether others have the models of left.dd (plan.cc ${why}): try again in a moment, or use force`,
      );
      assert.deepEqual([...stage.drained], []);
    }
    const forced = stage.give('front.aa', 'left.dd', 'drain', true);
    stage.settle();
    assert.equal(stage.ends.get(forced)?.code, '');
    const without = new Stage(
      {},
      members.filter(({ id }) => id !== plan),
    );
    const alone = without.give('front.aa', 'left.dd');
    without.settle();
    assert.equal(without.ends.get(alone)?.code, '');
  });

  test('of a node that is lost, says no or says nothing comes to an end', () => {
    const stage = new Stage();
    const ended = (): Ordered | undefined => [...stage.ends.values()].at(-1);
    const given = (): number => {
      const asked = stage.give('front.aa', 'left.dd', 'undrain');
      stage.lines.clear();
      return asked;
    };
    stage.hear(
      'front.aa',
      { type: 'node.answered', asked: given(), state: 'starting', reason: 'it starts' },
      'left.dd',
    );
    assert.match(ended()?.reason ?? '', /left\.dd did not follow: it starts/);
    given();
    stage.passes('front.aa');
    assert.match(ended()?.reason ?? '', /left\.dd did not answer within 3 s/);
    given();
    stage.hear('front.aa', { type: 'link.lost', member: 'left.dd', reason: 'killed' });
    assert.match(ended()?.reason ?? '', /the link to left\.dd was lost/);
  });

  test('counts nobody who is taken for dead', () => {
    const stage = new Stage();
    const judge = (member: MemberId, verdict: 'down' | 'trusted'): void =>
      void stage.hear('front.aa', { type: 'peer.judged', member, verdict, reason: 'silent' });
    for (const host of ['left.dd', 'mid.ee']) judge(host, 'down');
    const asked = stage.give('front.aa', 'right.ff');
    stage.settle();
    assert.match(stage.ends.get(asked)?.reason ?? '', /last serving node .*left\.dd is silent/);
  });
});

test('of more members than there can be nobody is doubted', () => {
  const { membersMax } = limits;
  const doubts = new Doubts();
  const judged = { type: 'peer.judged', verdict: 'down', reason: 'silent' } as const;
  for (let count = 0; count <= membersMax; count++) doubts.hear({ ...judged, member: `one.${count}` }, plan);
  assert.equal(doubts.of(`one.${membersMax - 1}`)?.verdict, 'down');
  assert.equal(doubts.of(`one.${membersMax}`), undefined);
});

describe('drains at the same moment', () => {
  test('leave somebody for every role and model, whoever gives them and however messages come', () => {
    let refused = 0;
    let passed = 0;
    for (let seed = 1; seed <= 2000; seed++) {
      const dice = new Random(seed);
      const stage = new Stage();
      const pick = (count: number): number => dice.whole(0, count - 1);
      const given: number[] = [];
      const wanted = [...hosts, ...hosts, ...routers].filter(() => dice.chance(0.5));
      for (const node of wanted) {
        for (let steps = dice.whole(0, 5); steps > 0; steps--) stage.step(pick);
        given.push(stage.give(dice.pick(routers), node));
      }
      stage.settle(pick);
      for (const asked of given) {
        const { code } = stage.ends.get(asked) as Ordered;
        if (code === '') passed++;
        else refused++;
      }
      for (const [model, at] of Object.entries(models))
        assert.ok(
          at.some((id) => !stage.drained.has(id)),
          `${model} in seed ${seed}`,
        );
      assert.ok(
        hosts.some((id) => !stage.drained.has(id)),
        `workers in seed ${seed}`,
      );
      assert.ok(
        routers.some((id) => !stage.drained.has(id)),
        `routers in seed ${seed}`,
      );
    }
    assert.ok(passed > 1000 && refused > 1000, `${passed} passed, ${refused} refused`);
  });

  test('a node that says no too late, or never answers, keeps others from their drains for some seconds at most', () => {
    for (const isLate of [true, false]) {
      const stage = new Stage();
      const [router] = routers;
      stage.give(router, 'left.dd');
      while (![...stage.lines.values()].flat().some(({ message }) => message.type === 'node.order'))
        stage.step();
      stage.lines.clear();
      stage.now = 3000;
      stage.passes(router);
      assert.match([...stage.ends.values()][0]?.reason ?? '', /did not answer within 3 s/);
      const early = stage.give(router, 'mid.ee');
      stage.settle();
      assert.match(stage.ends.get(early)?.reason ?? '', /left\.dd is being drained at this moment/);
      // An answer to something else changes nothing.
      const no = { type: 'node.answered', state: 'starting', reason: 'it starts' } as const;
      stage.hear(router, { ...no, asked: 1 }, 'right.ff');
      stage.hear(router, { ...no, asked: 2 }, 'left.dd');
      const other = stage.give(router, 'mid.ee');
      stage.settle();
      assert.equal(stage.ends.get(other)?.code, 'NODE_NEEDED');
      if (isLate) stage.hear(router, { ...no, asked: 1 }, 'left.dd');
      else stage.now = 20_000;
      const late = stage.give(router, 'mid.ee');
      stage.settle();
      assert.equal(stage.ends.get(late)?.code, '');
    }
  });

  test('of two the one of the lower id goes', () => {
    const stage = new Stage();
    const [higher, lower] = [stage.give('front.aa', 'mid.ee'), stage.give('rear.bb', 'left.dd')];
    stage.settle();
    assert.equal(stage.ends.get(lower)?.code, '');
    assert.equal(stage.ends.get(higher)?.code, 'NODE_NEEDED');
    assert.match(
      stage.ends.get(higher)?.reason ?? '',
      /only workers of mid\.ee have pair:1, .*\(left\.dd is (being drained at this moment|draining)\)/,
    );
  });

  test('a claim tells what is away, and what this router has claimed itself', () => {
    const stage = new Stage();
    stage.hear('front.aa', { type: 'node.reported', state: 'drained', ...serving }, 'mid.ee');
    stage.give('front.aa', 'left.dd');
    const told = said(
      stage.hear('front.aa', { type: 'drain.claim', asked: 9, node: 'right.ff' }, 'rear.bb'),
      'drain.noted',
    );
    assert.deepEqual(told, [{ type: 'drain.noted', asked: 9, away: ['mid.ee'], claimed: ['left.dd'] }]);
    assert.deepEqual(
      only(
        stage.hear('front.aa', { type: 'drain.noted', asked: 77, away: [], claimed: [] }, 'rear.bb'),
        'send',
      ),
      [],
    );
  });
});
