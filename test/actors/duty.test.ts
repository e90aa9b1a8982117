// The duty of a node: orders to drain, to come back and to end, what each asks of its workers, and what routers are told.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Heard } from '../../actors/actor.js';
import { startChart } from '../../actors/chart.js';
import type { Effect } from '../../actors/effects.js';
import { Duty, type Left } from '../../actors/node/duty.js';
import { nodeMachine } from '../../actors/node/node.machine.js';
import type { NodeOrder } from '../../proto/messages.js';
import { only, RouterStage, router, said, scheduler } from './stage.js';

const otherScheduler = 'scheduler-2.ffffff';
const patienceMs = 1000;

class Stage {
  left: Left = { requests: 0, waiting: 0, workers: 0 };
  readonly chart = startChart(nodeMachine);
  readonly duty = new Duty(this.chart, () => this.left, patienceMs);
  now = 0;

  static serving(): Stage {
    const stage = new Stage();
    while (stage.chart.can('done')) stage.chart.move('done');
    stage.hear({ type: 'link.opened', member: router, roles: ['router'] });
    return stage;
  }

  hear(heard: Heard): Effect[] {
    return this.duty.receive(heard, router, this.now);
  }

  order(order: NodeOrder, last = false): Effect[] {
    return this.hear({ type: 'node.order', asked: 7, order, last });
  }

  look(left: Partial<Left> = {}): Effect[] {
    this.left = { ...this.left, ...left };
    return this.hear({ type: 'timer.fired', timer: 'duty' });
  }
}

/** It looks as often as it asks to. */
function pass(stage: Stage, ms: number): Effect[] {
  const effects: Effect[] = [];
  for (const until = stage.now + ms; stage.now < until; ) {
    stage.now += 25;
    effects.push(...stage.look());
  }
  return effects;
}

const aways = (effects: readonly Effect[]): boolean[] => only(effects, 'vacate').map(({ away }) => away);

describe('a drain', () => {
  test('has the workers stand by, tells how much is left, and is over when nothing is', () => {
    const stage = Stage.serving();
    stage.left = { requests: 3, waiting: 1, workers: 2 };
    const begun = stage.order('drain');
    assert.deepEqual(aways(begun), [true]);
    assert.deepEqual(said(begun, 'node.answered'), [
      { type: 'node.answered', asked: 7, state: 'draining', reason: '' },
    ]);
    assert.deepEqual(said(begun, 'node.reported'), [
      { type: 'node.reported', state: 'draining', requests: 3, waiting: 1, workers: 2 },
    ]);
    assert.deepEqual(said(stage.look(), 'node.reported'), [], 'nothing new');
    assert.deepEqual(only(stage.look({ waiting: 0, workers: 0 }), 'arm').length, 1);
    const done = stage.look({ requests: 0 });
    assert.equal(stage.duty.state, 'drained');
    assert.equal(said(done, 'node.reported')[0]?.state, 'drained');
    assert.deepEqual([only(done, 'arm').length, only(done, 'leave').length], [0, 0]);
  });

  test('of the last that can do it: its workers go on until there is nothing to do', () => {
    const stage = Stage.serving();
    stage.left = { requests: 0, waiting: 2, workers: 1 };
    assert.deepEqual(aways(stage.order('drain', true)), []);
    assert.deepEqual(aways(stage.look()), []);
    assert.deepEqual(aways(stage.look({ waiting: 0 })), [true]);
    stage.look({ workers: 0 });
    assert.equal(stage.duty.state, 'drained');
  });

  test('of one that has what others do not have yet: its workers go on until they have it', () => {
    const stage = Stage.serving();
    let left = 2;
    let asked = 0;
    const uncovered = (): number => {
      asked++;
      return left;
    };
    stage.left = { requests: 0, waiting: 0, workers: 1, uncovered };
    assert.deepEqual(aways(stage.order('drain')), []);
    left = 1;
    const looked = pass(stage, 500);
    assert.deepEqual([aways(looked), only(looked, 'arm').length], [[], 20]);
    assert.ok(asked > 1 && asked <= 5, `for that all nodes and models are looked at, ${asked} times`);
    assert.equal(stage.duty.state, 'draining');
    left = 0;
    assert.deepEqual(aways(pass(stage, 400)), [true]);
    const before = asked;
    pass(stage, 400);
    assert.equal(asked, before, 'what was passed on is passed on');
    stage.look({ workers: 0 });
    assert.equal(stage.duty.state, 'drained');
  });

  test('waits for others no longer than its patience', () => {
    const stage = Stage.serving();
    stage.now = 5000;
    stage.left = { requests: 0, waiting: 0, workers: 1, uncovered: () => 1 };
    assert.deepEqual(aways(stage.order('drain')), []);
    stage.now += patienceMs - 1;
    assert.deepEqual(aways(stage.look()), []);
    stage.now += 1;
    assert.deepEqual(aways(stage.look()), [true]);
  });

  test('ordered again changes nothing, and is answered', () => {
    const stage = Stage.serving();
    stage.order('drain');
    const again = stage.order('drain');
    assert.deepEqual(aways(again), []);
    assert.equal(said(again, 'node.answered').length, 1);
  });

  test('with an end behind it: the node ends once nothing is left, unless it is called back', () => {
    const stage = Stage.serving();
    stage.left = { requests: 0, waiting: 0, workers: 1 };
    assert.deepEqual(only(stage.order('end'), 'leave'), []);
    assert.equal(only(stage.look({ workers: 0 }), 'leave').length, 1);
    const other = Stage.serving();
    other.left = { requests: 1, waiting: 0, workers: 0 };
    other.order('end');
    other.order('undrain');
    assert.deepEqual(only(other.look({ requests: 0 }), 'leave'), []);
    assert.equal(other.duty.state, 'serving');
  });

  test('that is over can be followed by the end', () => {
    const stage = Stage.serving();
    stage.order('drain');
    stage.look();
    assert.equal(stage.duty.state, 'drained');
    assert.equal(only(stage.order('end'), 'leave').length, 1);
  });
});

describe('coming back', () => {
  test('wants the workers back, and tells until they are', () => {
    const stage = Stage.serving();
    stage.order('drain');
    stage.look();
    stage.left = { requests: 5, waiting: 0, workers: 2 };
    const back = stage.order('undrain');
    assert.deepEqual(aways(back), [false]);
    assert.deepEqual(said(back, 'node.reported'), [
      { type: 'node.reported', state: 'serving', requests: 0, waiting: 0, workers: 2 },
    ]);
    assert.equal(only(stage.look({ workers: 1 }), 'arm').length, 1);
    const done = stage.look({ workers: 0 });
    assert.equal(said(done, 'node.reported')[0]?.workers, 0);
    assert.deepEqual(only(done, 'arm'), []);
  });
});

describe('word of it', () => {
  test('goes to routers only, to those that come too', () => {
    const stage = Stage.serving();
    assert.deepEqual(stage.hear({ type: 'link.opened', member: scheduler, roles: ['scheduler'] }), []);
    stage.order('drain');
    const told = stage.hear({ type: 'link.opened', member: 'router-9.x', roles: ['router'] });
    assert.equal(said(told, 'node.reported')[0]?.state, 'draining');
  });

  test('a node that starts or stops takes no orders', () => {
    const stage = new Stage();
    const answer = said(stage.order('drain'), 'node.answered')[0];
    assert.deepEqual([answer?.state, answer?.reason], ['starting', 'it is starting and takes no orders']);
    const other = Stage.serving();
    other.chart.move('stop');
    assert.equal(said(other.hear({ type: 'node.moved' }), 'node.reported')[0]?.state, 'draining');
    assert.match(said(other.order('undrain'), 'node.answered')[0]?.reason ?? '', /it is draining/);
  });
});

describe('at a router', () => {
  test('what waits at one that drains goes to another under a new attempt, and comes back when it must', () => {
    const stage = RouterStage.usual();
    stage.link(otherScheduler, 'scheduler');
    stage.submit();
    const word = { type: 'node.reported', requests: 0, waiting: 0, workers: 0 } as const;
    const left = stage.hear({ ...word, state: 'draining' }, scheduler);
    assert.deepEqual(
      only(left, 'send').map(({ to, message }) => [to, message.type]),
      [
        [scheduler, 'job.withdraw'],
        [otherScheduler, 'job.enqueue'],
      ],
    );
    assert.equal(
      stage.router.job(1)?.attempt,
      2,
      'what the first one may still decide is of an attempt that is over',
    );
    const lost = stage.unlink(otherScheduler);
    assert.equal(only(lost, 'send')[0]?.to, scheduler, 'better one that drains than nobody');
  });
});
