// To whom a scheduler gives a batch and when: as late as it can, never to one that is too slow for it, and to each in turn.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Said } from '../../proto/messages.js';
import { SchedulerStage as Stage } from './scheduler-stage.js';
import { digits, otherWorker, said, worker } from './stage.js';

/** Workers that take 10 ms for a row and 13 for four. */
function measured(...members: readonly string[]): Stage {
  const stage = Stage.with(members);
  members.forEach((member, index) => {
    const runs = [
      [1, 10],
      [4, 13],
    ] as const;
    stage.hear({ type: 'costs.measured', epoch: index + 1, ...digits, runs }, member);
  });
  return stage;
}

describe('late binding', () => {
  test('a lone client is served by the same worker for a while, and by each in turn', () => {
    const stage = Stage.with([worker, otherWorker], { choice: 'earliest-finish' });
    const served: string[] = [];
    for (let job = 0; job < 200; job++) {
      const assign = stage.place() as Said<'batch.assign'>;
      served.push(assign.worker);
      stage.now += 2;
      stage.release(assign);
    }
    const changes = served.filter((by, at) => at > 0 && by !== served[at - 1]).length;
    assert.ok(changes >= 40 && changes <= 60, `${changes} changes`);
    const share = served.filter((by) => by === worker).length;
    assert.ok(share > 80 && share < 120, `${share} of 200`);
  });

  /** Of a client that asks again each time that it is answered, by whom it was served. */
  function served(stage: Stage, lastsMs: number, wayMs: (member: string) => number, computeMs = 1): string[] {
    const by: string[] = [];
    for (const endAt = stage.now + lastsMs; stage.now < endAt; ) {
      const assign = stage.place() as Said<'batch.assign'>;
      by.push(assign.worker);
      listen(stage, wayMs(assign.worker) + computeMs);
      stage.release(assign, assign.worker, assign.epoch, computeMs);
    }
    return by;
  }

  /** Time goes by, in which workers report as they do. */
  function listen(stage: Stage, lastsMs: number): void {
    for (const until = stage.now + lastsMs; stage.now < until; ) {
      stage.now = Math.min(until, stage.now + 200);
      stage.settle();
    }
  }

  test('a worker that has come to be behind a long way gets a job now and then, and its share once the way is short', () => {
    const stage = Stage.with([worker, otherWorker], { choice: 'earliest-finish' });
    const shareOfFar = (by: readonly string[]): number =>
      by.filter((member) => member === otherWorker).length / by.length;
    served(stage, 1000, () => 1);
    const farMs = (member: string): number => (member === otherWorker ? 400 : 1);
    served(stage, 2000, farMs);
    const far = served(stage, 20_000, farMs);
    assert.ok(shareOfFar(far) > 0 && shareOfFar(far) < 0.005, `${shareOfFar(far)}`);
    served(stage, 5000, () => 1);
    const share = shareOfFar(served(stage, 2000, () => 1));
    assert.ok(share > 0.4 && share < 0.6, `${share}`);
  });

  /** Two that take 20 ms and two batches at once. */
  function slower(): Stage {
    const stage = new Stage({ choice: 'earliest-finish' });
    for (const [index, member] of [worker, otherWorker].entries()) {
      stage.join(member, 2);
      stage.hear({ type: 'costs.measured', epoch: index + 1, ...digits, runs: [[1, 20]] }, member);
    }
    return stage;
  }

  test('what another scheduler gave a worker makes it no far one', () => {
    const stage = slower();
    const shareOfOther = (wayMs: number): number => {
      const by = served(stage, 4000, (member) => (member === otherWorker ? wayMs : 1), 20);
      return by.filter((member) => member === otherWorker).length / by.length;
    };
    assert.ok(shareOfOther(35) > 0.3, 'two batches of others were before it');
    assert.ok(shareOfOther(200) < 0.1, 'no two batches take so long');
  });

  test('while it did not listen itself, nothing that it hears late was far', () => {
    const stage = slower();
    served(stage, 1000, () => 1, 20);
    const assign = stage.place() as Said<'batch.assign'>;
    stage.now += 700;
    stage.release(assign, assign.worker, assign.epoch, 20);
    const by = served(stage, 400, () => 1, 20);
    const share = by.filter((member) => member === assign.worker).length / by.length;
    assert.ok(share > 0.3, `${share}`);
  });

  test('a worker with a credit to spare gets its next batch only when it is about to be free', () => {
    const stage = new Stage();
    stage.join(worker, 2);
    stage.hear({ type: 'costs.measured', epoch: 1, ...digits, runs: [[4, 20]] }, worker);
    for (let job = 0; job < 8; job++) stage.enqueue({ budgetMs: 500 });
    assert.equal(stage.settle().length, 1, 'the second batch may still grow or be called back');
    stage.now = 10;
    assert.equal(stage.settle().length, 0);
    stage.now = 19.5;
    assert.equal(stage.settle().length, 1);
  });

  test('one that is overdue gets nothing more, and the others go on', () => {
    const stage = new Stage();
    stage.join(worker, 2);
    stage.hear({ type: 'costs.measured', epoch: 1, ...digits, runs: [[4, 20]] }, worker);
    stage.enqueue({ budgetMs: 500 });
    assert.equal(stage.settle().length, 1);
    stage.now = 100;
    stage.enqueue({ budgetMs: 500 });
    assert.deepEqual(stage.settle(), [], 'it may hang');
    stage.join(otherWorker, 2);
    assert.equal(stage.settle()[0]?.worker, otherWorker);
  });

  /** One that takes 100 ms and one that takes 10. */
  function unequal(settings: Partial<ConstructorParameters<typeof Stage>[0]> = {}): Stage {
    const stage = Stage.with([worker, otherWorker], settings);
    for (const [index, ms] of [100, 10].entries()) {
      const member = index === 0 ? worker : otherWorker;
      stage.hear({ type: 'costs.measured', epoch: index + 1, ...digits, runs: [[1, ms]] }, member);
    }
    return stage;
  }

  for (const choice of ['round-robin', 'least-loaded', 'earliest-finish'] as const) {
    test(`${choice}: nobody is given to a worker that is too slow for its deadline`, () => {
      const stage = unequal({ choice });
      for (let job = 0; job < 6; job++) {
        const assign = stage.place({ budgetMs: 50 }) as Said<'batch.assign'>;
        assert.equal(assign.worker, otherWorker);
        stage.now += 10;
        stage.release(assign);
      }
      stage.enqueue({ budgetMs: 50 });
      stage.enqueue({ budgetMs: 50, shapeKey: 'two' });
      assert.equal(stage.settle().length, 1);
      assert.equal(stage.waiting(), 1, 'the other waits for it');
    });
  }

  test('what came together is parted among workers that have nothing to do', () => {
    const stage = measured(worker, otherWorker);
    stage.hear({ type: 'model.described', ...choiceOf('earliest-finish'), policy: 'auto' }, worker);
    for (let job = 0; job < 4; job++) stage.enqueue({ budgetMs: 1000 });
    assert.deepEqual(
      stage.settle().map(({ jobs }) => jobs.length),
      [2, 2],
    );
  });

  test('while a free worker is passed over for a faster one, a timer sees to it that this is thought over', () => {
    const stage = unequal({ choice: 'earliest-finish' });
    assert.equal(stage.place({ budgetMs: 500 })?.worker, otherWorker);
    stage.now = 1;
    stage.enqueue({ budgetMs: 500 });
    let effects = stage.hear({ type: 'tick.settled' });
    for (let wakes = 0; said(effects, 'batch.assign').length === 0; wakes++) {
      const arm = effects.find((effect) => effect.type === 'arm');
      assert.ok(arm !== undefined && wakes < 50, 'it is never thought over again');
      stage.now = arm.at;
      effects = stage.hear({ type: 'timer.fired', timer: 'dispatch' });
    }
    assert.equal(said(effects, 'batch.assign')[0]?.worker, worker, 'the fast one hangs');
    assert.ok(stage.now < 300, `after ${stage.now} ms`);
  });

  test('one that has been slow waits in vain, but not for ever: a job proves it now and then', () => {
    const stage = Stage.with([worker, otherWorker], { choice: 'earliest-finish' });
    stage.hear({ type: 'costs.measured', epoch: 1, ...digits, runs: [[4, 10]] }, worker);
    stage.hear({ type: 'costs.measured', epoch: 2, ...digits, runs: [[4, 100]] }, otherWorker);
    for (let run = 0; run < 5; run++) {
      const { batch, epoch, worker: by } = stage.place({ avoid: worker }) as Said<'batch.assign'>;
      assert.equal(by, otherWorker);
      stage.now += 100;
      stage.hear(
        { type: 'batch.released', batch, epoch, rows: 1, computeMs: 100, fault: false },
        otherWorker,
      );
    }
    let rounds = 0;
    for (let tried = false; !tried && rounds < 1000; rounds++) {
      stage.enqueue({ budgetMs: 900 });
      const busy = stage.settle()[0] as Said<'batch.assign'>;
      assert.equal(busy.worker, worker);
      stage.enqueue({ budgetMs: 900 });
      const [trial] = stage.settle();
      tried = trial?.worker === otherWorker;
      stage.now += 10;
      stage.release(busy);
      for (const next of stage.settle()) stage.release(next);
    }
    assert.ok(rounds > 50 && rounds < 1000, `${rounds} rounds of 10 ms`);
  });

  /** The first worker's runs have no good end. */
  function failing(fault: boolean): Stage {
    const stage = measured(worker, otherWorker);
    for (let run = 0; run < 4; run++) {
      const assign = stage.place({ avoid: otherWorker, budgetMs: 500 }) as Said<'batch.assign'>;
      assert.equal(assign.worker, worker);
      const { batch, epoch } = assign;
      stage.hear({ type: 'batch.released', batch, epoch, rows: 0, computeMs: 0.1, fault }, worker);
    }
    stage.hear({ type: 'model.described', ...choiceOf('earliest-finish') }, worker);
    return stage;
  }

  test('a worker whose runs nobody wanted, or the model refused, is as good as before', () => {
    const [record] = [...failing(false).scheduler.registry.all()];
    assert.equal(record?.handicapMs, 0);
  });

  test('a worker that only fails is the last choice', () => {
    const stage = failing(true);
    for (let run = 0; run < 3; run++) {
      const assign = stage.place({ budgetMs: 500 }) as Said<'batch.assign'>;
      assert.equal(assign.worker, otherWorker);
      stage.release(assign, otherWorker, 2);
    }
  });

  function choiceOf(choice: 'earliest-finish'): Omit<Said<'model.described'>, 'type'> {
    const bounds = { preferred: [], delayMostMs: 0, weight: 1, depthMax: 0, bytesMax: 0 };
    return { epoch: 1, ...digits, policy: 'eager', ...bounds, choice, needs: [], prefers: [] };
  }
});
