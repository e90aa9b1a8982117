// Drains in bad weather: whatever is late or lost between routers and nodes, somebody is left for every model and role, and each
// order comes to one end.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random } from '../simulation/random.js';
import { said } from './stage.js';
import { hosts, models, routers, WardenStage as Stage } from './warden-stage.js';
import { WardenWeather } from './warden-weather.js';

const seeds = 2000;
const ordersFor = 20_000;
/** By then every order has an end, and nothing is held against anybody any more. */
const calmAt = 60_000;

/** What happens in that seed: orders to nodes, some of them back, and links that are lost. */
function stormy(seed: number): { weather: WardenWeather; given: { asked: number; at: number }[] } {
  const dice = new Random(seed);
  const weather = new WardenWeather(dice.fork(1));
  const given: { asked: number; at: number }[] = [];
  const { timeline } = weather;
  for (let count = dice.whole(2, 10); count > 0; count--) {
    const order = dice.chance(0.4) ? 'undrain' : 'drain';
    const [router, node] = [dice.pick(routers), dice.pick(hosts)];
    timeline.at(dice.between(0, ordersFor), () => {
      given.push({ asked: weather.give(router, node, order), at: timeline.now });
    });
  }
  for (let count = dice.whole(0, 12); count > 0; count--) {
    const [router, node] = [dice.pick(routers), dice.pick(hosts)];
    timeline.at(dice.between(0, ordersFor), () => weather.lose(router, node));
  }
  return { weather, given };
}

describe('drains while words are late and links are lost', () => {
  test('leave somebody for every model, and each has one end', () => {
    let passed = 0;
    let refused = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const { weather, given } = stormy(seed);
      weather.timeline.run(calmAt);
      for (const { asked } of given) {
        const ends = weather.ends.get(asked) ?? [];
        assert.equal(ends.length, 1, `order ${asked} of seed ${seed} has ${ends.length} ends`);
        if (ends[0]?.code === '') passed++;
        else refused++;
      }
      for (const [model, at] of Object.entries(models))
        assert.ok(
          at.some((id) => !weather.drained.has(id)),
          `nobody has ${model} in seed ${seed}: ${[...weather.drained].join(' ')} are drained`,
        );
    }
    assert.ok(passed > 1000 && refused > 1000, `${passed} passed, ${refused} refused`);
  });
});

describe('a node that may be drained', () => {
  /** Whom the first router tells another of as away. */
  const away = (stage: Stage): readonly string[] =>
    said(
      stage.hear('front.aa', { type: 'drain.claim', asked: 9, node: 'right.ff' }, 'rear.bb'),
      'drain.noted',
    ).flatMap((noted) => noted.away);
  const ordered = (): Stage => {
    const stage = new Stage();
    stage.give('front.aa', 'left.dd');
    while (![...stage.lines.values()].flat().some(({ message }) => message.type === 'node.order'))
      stage.step();
    return stage;
  };
  const answer = (stage: Stage, asked: number): void =>
    void stage.hear('front.aa', { type: 'node.answered', asked, state: 'serving', reason: '' }, 'left.dd');

  test('counts as away until it has answered the last order, be that to come back', () => {
    const stage = ordered();
    const back = stage.give('front.aa', 'left.dd', 'undrain');
    assert.deepEqual(away(stage), ['left.dd']);
    answer(stage, 1);
    assert.deepEqual(away(stage), ['left.dd'], 'that was before');
    answer(stage, back);
    assert.deepEqual(away(stage), []);
  });

  test('who was told to come back only was never away', () => {
    const stage = new Stage();
    stage.give('front.aa', 'left.dd', 'undrain');
    assert.deepEqual(away(stage), []);
  });

  test('is not forgotten with its link, and not for longer than a while', () => {
    const stage = ordered();
    stage.hear('front.aa', { type: 'link.lost', member: 'left.dd', reason: 'gone' });
    assert.deepEqual(away(stage), ['left.dd']);
    stage.now = 15_000;
    assert.deepEqual(away(stage), []);
  });

  test('a router that answers too late, but before the scheduler, is heard all the same', () => {
    const stage = new Stage();
    const asked = stage.give('front.aa', 'mid.ee');
    stage.lines.clear();
    stage.passes('front.aa');
    stage.hear('front.aa', { type: 'drain.noted', asked, away: ['left.dd'], claimed: [] }, 'rear.bb');
    stage.settle();
    assert.match(stage.ends.get(asked)?.reason ?? '', /only workers of mid\.ee have pair:1/);
  });
});
