// Lanes of a scheduler: editions come without end, and those that nobody has any more are not kept for ever, however their
// workers ended.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import { SchedulerStage } from './scheduler-stage.js';
import { only, said, scheduler, worker } from './stage.js';

const laneKeptMs = 1000;

class Stage extends SchedulerStage {
  private lookAt = Number.POSITIVE_INFINITY;

  constructor() {
    super({ laneKeptMs });
  }

  override hear(...heard: Parameters<SchedulerStage['hear']>): Effect[] {
    const effects = super.hear(...heard);
    const armed = only(effects, 'arm').findLast(({ timer }) => timer === 'lanes');
    if (armed !== undefined) this.lookAt = armed.at;
    return effects;
  }

  /** Its timer is heard when it is due. */
  pass(ms: number): void {
    const until = this.now + ms;
    while (this.lookAt <= until) {
      this.now = this.lookAt;
      this.lookAt = Number.POSITIVE_INFINITY;
      this.hear({ type: 'timer.fired', timer: 'lanes' }, scheduler);
    }
    this.now = until;
  }

  lose(): Effect[] {
    return this.hear({ type: 'link.lost', member: worker, reason: 'killed' });
  }

  get editions(): string[] {
    return [...this.scheduler.lanes.values()].map(({ version }) => version);
  }
}

test('of a hundred editions whose workers just ended one after the other none is kept', () => {
  const stage = new Stage();
  for (let edition = 0; edition < 100; edition++) {
    stage.join(worker, 1, { version: `1+${edition}` });
    stage.place({ version: `1+${edition}` });
    stage.lose();
    stage.pass(100);
    assert.ok(stage.editions.length <= 25, `${stage.editions.length} lanes`);
  }
  stage.pass(3 * laneKeptMs);
  assert.deepEqual(stage.editions, []);
  assert.equal(only(stage.hear({ type: 'tick.settled' }), 'arm').length, 0, 'nothing is looked for any more');
});

test('routers hear that nobody has it before it is forgotten, and it is as new when it comes again', () => {
  const stage = new Stage();
  stage.join(worker);
  assert.equal(said(stage.lose(), 'model.reported').at(-1)?.ready, 0);
  stage.pass(3 * laneKeptMs);
  assert.deepEqual(stage.editions, []);
  const effects = stage.hear({ type: 'link.opened', member: worker, roles: ['worker'] });
  assert.deepEqual(said(effects, 'model.reported'), []);
  stage.join(worker);
  assert.ok(stage.place(), 'it is run');
});

test('it is kept while somebody waits, and while whoever had it is about to be back', () => {
  const stage = new Stage();
  stage.join(worker);
  stage.lose();
  stage.enqueue({ budgetMs: 100_000 });
  stage.pass(5 * laneKeptMs);
  assert.deepEqual(stage.editions, ['1'], 'somebody waits');
  stage.join(worker);
  assert.ok(stage.settle()[0], 'and is run');
  stage.pass(5 * laneKeptMs);
  assert.deepEqual(stage.editions, ['1'], 'its worker is there');
  stage.lose();
  stage.pass(laneKeptMs / 2);
  stage.join(worker);
  stage.pass(5 * laneKeptMs);
  assert.deepEqual(stage.editions, ['1'], 'its worker came back');
});
