// A scheduler whose models rest: whom it asks to load one that somebody waits for, and to make room for it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import { SchedulerStage } from './scheduler-stage.js';
import { only, otherWorker, router, said, worker } from './stage.js';

describe('a scheduler whose models rest', () => {
  const asked = (effects: readonly Effect[]): [string, boolean][] =>
    only(effects, 'send').flatMap(({ to, message }) =>
      message.type === 'share.wake' ? [[to, message.must] as [string, boolean]] : [],
    );
  const settled = (stage: SchedulerStage): Effect[] => stage.hear({ type: 'tick.settled' });
  const resting = (): SchedulerStage => {
    const stage = SchedulerStage.with([worker, otherWorker]);
    stage.share(worker, 1, { state: 'resting' });
    stage.share(otherWorker, 2, { state: 'resting' });
    return stage;
  };

  test('asks one of the workers to make room, and the others if they have room', () => {
    const stage = resting();
    assert.deepEqual(asked(settled(stage)), [], 'nobody waits');
    stage.enqueue();
    assert.deepEqual(asked(settled(stage)), [
      [worker, true],
      [otherWorker, false],
    ]);
    assert.deepEqual(asked(settled(stage)), [], 'once');
    stage.now += 200;
    assert.deepEqual(asked(settled(stage)).length, 2, 'and again, for it may not have been heard');
  });

  test('asks nobody while one loads it, and another when that one is gone', () => {
    const stage = resting();
    stage.enqueue();
    settled(stage);
    stage.share(worker, 1, { state: 'loading' });
    stage.now += 300;
    assert.deepEqual(asked(settled(stage)), []);
    stage.hear({ type: 'link.lost', member: worker, reason: '' });
    stage.now += 2000;
    assert.deepEqual(asked(settled(stage)), [[otherWorker, true]]);
  });

  test('offers what is served to who has room for it', () => {
    const stage = resting();
    stage.share(worker, 1, { state: 'ready' });
    for (let at = 0; at < 3; at++) stage.enqueue({ company: 'alone' });
    assert.deepEqual(asked(settled(stage)), [[otherWorker, false]]);
  });

  test('asks one to make room when all who serve are busy until it would be too late', () => {
    const stage = resting();
    stage.share(worker, 1, { state: 'ready' });
    stage.enqueue({ budgetMs: 200 });
    const [first] = said(settled(stage), 'batch.assign');
    assert.equal(first?.worker, worker);
    stage.enqueue({ budgetMs: 100 });
    assert.deepEqual(asked(settled(stage)), [[otherWorker, false]], 'nothing says that it will be late');
    stage.now += 60;
    assert.deepEqual(
      asked(settled(stage)),
      [[otherWorker, true]],
      'a run that takes so long may take as long again',
    );
    stage.now += 30;
    assert.deepEqual(asked(settled(stage)), [], 'once');
    stage.share(otherWorker, 2, { state: 'loading' });
    stage.share(otherWorker, 2, { state: 'ready' });
    assert.deepEqual(
      said(settled(stage), 'batch.assign').map((assign) => assign.worker),
      [otherWorker],
    );
  });

  test('has no room made where the model is just given up for others, but where it rests', () => {
    const stage = resting();
    stage.share(worker, 1, { state: 'yielding' });
    stage.enqueue();
    assert.deepEqual(asked(settled(stage)), [
      [worker, false],
      [otherWorker, true],
    ]);
    stage.hear({ type: 'link.lost', member: otherWorker, reason: '' });
    assert.deepEqual(asked(settled(stage)), [[worker, true]], 'where nobody else has it');
  });

  test('asks another when whoever was asked gives up the model for others', () => {
    const stage = resting();
    stage.enqueue();
    assert.deepEqual(asked(settled(stage))[0], [worker, true]);
    stage.share(worker, 1, { state: 'ready' });
    stage.share(worker, 1, { state: 'yielding' });
    assert.deepEqual(asked(settled(stage)), [
      [worker, false],
      [otherWorker, true],
    ]);
  });

  test('keeps who would be late with a slow holder for one that loads its model', () => {
    const stage = resting();
    stage.share(worker, 1, { state: 'ready' });
    stage.enqueue();
    const [first] = said(settled(stage), 'batch.assign');
    assert.ok(first);
    stage.share(otherWorker, 2, { state: 'loading' });
    stage.enqueue({ budgetMs: 100 });
    stage.now += 80;
    stage.hear({ type: 'batch.released', batch: 1, epoch: 1, rows: 1, computeMs: 80, fault: false }, worker);
    assert.deepEqual(said(settled(stage), 'batch.assign'), [], 'it would be late there');
    stage.share(otherWorker, 2, { state: 'ready' });
    assert.deepEqual(
      said(settled(stage), 'batch.assign').map((assign) => assign.worker),
      [otherWorker],
    );
  });

  describe('and whose only holder is at a long run', () => {
    const held = (): SchedulerStage => {
      const stage = resting();
      stage.share(worker, 1, { state: 'ready' });
      stage.share(worker, 1, { model: 'heavy' });
      for (const [name, computeMs] of [
        ['digits', 5],
        ['heavy', 2000],
      ] as const) {
        const assign = stage.place({ model: name, budgetMs: 60_000 });
        assert.ok(assign);
        const { batch, epoch } = assign;
        stage.now += computeMs;
        stage.hear({ type: 'batch.released', batch, epoch, rows: 1, computeMs, fault: false }, worker);
      }
      assert.equal(stage.place({ model: 'heavy', budgetMs: 60_000 })?.worker, worker);
      stage.now += 100;
      return stage;
    };
    const refused = (effects: readonly Effect[]): (string | undefined)[] =>
      said(effects, 'job.refused').map(({ code }) => code);

    test('has an idle one load it for somebody who would be refused, who waits for that', () => {
      const stage = held();
      const effects = stage.enqueue({ budgetMs: 300 });
      assert.deepEqual(refused(effects), []);
      assert.deepEqual(asked(effects), [[otherWorker, true]]);
      assert.deepEqual(asked(settled(stage)), [], 'once');
      stage.share(otherWorker, 2, { state: 'loading' });
      stage.share(otherWorker, 2, { state: 'ready' });
      assert.equal(stage.settle()[0]?.worker, otherWorker);
    });

    test('refuses those who come while one waits or it is being loaded, and asks again for whoever comes later', () => {
      const stage = held();
      stage.enqueue({ budgetMs: 100 });
      settled(stage);
      const second = stage.enqueue({ budgetMs: 300 });
      assert.deepEqual([refused(second), asked(second)], [['OVERLOADED'], []]);
      stage.now += 150;
      stage.hear({ type: 'job.withdraw', job: 4, attempt: 1 }, router);
      settled(stage);
      assert.equal(stage.waiting(), 0, 'the first was late');
      assert.deepEqual(refused(stage.enqueue({ budgetMs: 300 })), ['OVERLOADED'], 'it was just asked for');
      stage.now += 50;
      assert.deepEqual(asked(stage.enqueue({ budgetMs: 300 })), [[otherWorker, true]]);
      stage.share(otherWorker, 2, { state: 'loading' });
      stage.now += 400;
      settled(stage);
      const last = stage.enqueue({ budgetMs: 300 });
      assert.deepEqual([refused(last), asked(last)], [['OVERLOADED'], []]);
    });

    test('asks nobody who is busy as well, and nobody for what its run alone makes late', () => {
      const stage = held();
      assert.deepEqual(asked(stage.enqueue({ budgetMs: 2 })), []);
      stage.share(otherWorker, 2, { model: 'other' });
      assert.equal(stage.place({ model: 'other' })?.worker, otherWorker);
      const effects = stage.enqueue({ budgetMs: 300 });
      assert.deepEqual([refused(effects), asked(effects)], [['OVERLOADED'], []]);
    });
  });

  test('does not ask for more room for what its run alone makes late', () => {
    const stage = resting();
    stage.share(worker, 1, { state: 'ready' });
    stage.enqueue();
    const [first] = said(settled(stage), 'batch.assign');
    assert.ok(first);
    stage.now += 80;
    stage.hear({ type: 'batch.released', batch: 1, epoch: 1, rows: 1, computeMs: 80, fault: false }, worker);
    stage.enqueue();
    stage.enqueue({ budgetMs: 20, admitted: true });
    assert.ok(!asked(settled(stage)).some(([, must]) => must));
  });

  test('counts it as none that is missing', () => {
    const stage = SchedulerStage.with([worker]);
    const [report] = said(stage.share(worker, 1, { state: 'resting' }), 'model.reported');
    assert.deepEqual([report?.ready, report?.loading, report?.failed, report?.resting], [0, 0, 0, 1]);
  });

  test('lets go who makes room when nothing of it is on its way there, and sends nothing more', () => {
    const letGo = (effects: readonly Effect[]): number => said(effects, 'share.dismissed').length;
    const stage = SchedulerStage.with([worker]);
    const assign = stage.place();
    assert.ok(assign);
    assert.equal(letGo(stage.share(worker, 1, { state: 'yielding' })) + letGo(settled(stage)), 0);
    stage.enqueue();
    assert.equal(said(settled(stage), 'batch.assign').length, 0);
    stage.release(assign);
    assert.equal(letGo(settled(stage)), 1);
  });
});
