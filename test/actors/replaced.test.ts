// Models that are replaced while somebody waits for them: whoever has not been given to a worker yet is put to what took
// their place, unless workers still have what was meant.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import type { ListedModel } from '../../actors/facts.js';
import { batchingDefaults } from '../../proto/batching.js';
import { SchedulerStage } from './scheduler-stage.js';
import { digits, only, RouterStage, said, scheduler } from './stage.js';

function edition(version: string, changes: Partial<ListedModel> = {}): ListedModel {
  return { ...digits, version, broken: '', runMaxMs: 500, batching: batchingDefaults, form: 'x', ...changes };
}

/** Somebody waits for the first edition, and what is listed now is this. */
function replaced(...models: ListedModel[]): [RouterStage, Effect[]] {
  const stage = RouterStage.usual();
  stage.hear({ type: 'models.listed', models: [edition('1')] });
  stage.report(0, 0);
  stage.submit();
  stage.now = 5;
  return [stage, stage.hear({ type: 'models.listed', models })];
}

function asked(effects: readonly Effect[]): [string, number][] {
  return said(effects, 'job.enqueue').map(({ version, attempt }) => [version, attempt]);
}

describe('a job whose model is replaced', () => {
  test('is withdrawn and put to what took its place', () => {
    const [stage, effects] = replaced(edition('1+abc'));
    assert.deepEqual(
      said(effects, 'job.withdraw').map(({ attempt }) => attempt),
      [1],
    );
    assert.deepEqual(asked(effects), [['1+abc', 2]]);
    assert.deepEqual([stage.state(1), stage.router.violations], ['queued', 0]);
  });

  test('stays where workers still have what was meant, and goes when they have it no more', () => {
    const stage = RouterStage.usual();
    stage.hear({ type: 'models.listed', models: [edition('1')] });
    stage.report(1, 0);
    stage.submit();
    assert.deepEqual(asked(stage.hear({ type: 'models.listed', models: [edition('1+abc')] })), []);
    assert.deepEqual(asked(stage.report(0, 0)), [['1+abc', 2]]);
  });

  test('is not answered by other tensors, another version, or another variant', () => {
    const others = [edition('1+abc', { form: 'y' }), edition('2'), edition('1+@int8')];
    for (const other of others) assert.deepEqual(asked(replaced(other)[1]), []);
  });

  test('goes to the last of several that took the place of each other', () => {
    const stage = RouterStage.usual();
    for (const version of ['1', '1+abc', '1+def'])
      stage.hear({ type: 'models.listed', models: [edition(version)] });
    stage.report(0, 0);
    assert.deepEqual(asked(stage.submit()), [['1+def', 1]]);
    stage.hear({ type: 'models.listed', models: [edition('1')] });
    assert.deepEqual(asked(stage.submit()), [['1', 1]], 'put back as it was');
  });
});

describe('a job whose model is taken away', () => {
  const ends = (effects: readonly Effect[]) =>
    only(effects, 'reply').map(({ job, end: { code, message } }) => [job, code, message]);
  const taken = 'it was taken away while the request waited, and no worker has it any more';
  const code = 'MODEL_UNAVAILABLE';

  test('ends with the reason, where no worker has it', () => {
    for (const [listed, reason] of [
      [[], taken],
      [[edition('1+abc', { form: 'y' })], taken],
      [[edition('1', { broken: 'its file is torn' })], 'its file is torn'],
    ] as const) {
      const [stage, effects] = replaced(...listed);
      assert.deepEqual(ends(effects), [[1, code, `model digits version 1: ${reason}`]]);
      assert.deepEqual([said(effects, 'job.withdraw').length, stage.router.violations], [1, 0]);
    }
  });

  test('is run while a worker has it, and ends with the last; so do those who share its run', () => {
    const stage = RouterStage.usual();
    stage.hear({ type: 'models.listed', models: [edition('1')] });
    stage.report(1, 0);
    for (let job = 0; job < 3; job++) stage.submit({ identity: 'same' });
    assert.deepEqual(ends(stage.hear({ type: 'models.listed', models: [] })), []);
    assert.deepEqual(ends(stage.report(0, 0, '', 1)), []);
    const all = [1, 2, 3].map((job) => [job, code, `model digits version 1: ${taken}`]);
    assert.deepEqual(ends(stage.report(0, 0)), all);
  });

  test('waits while nobody has said what there is of it, and while what is listed may come', () => {
    const stage = RouterStage.usual();
    stage.submit();
    assert.deepEqual(ends(stage.report(0, 0)), []);
    stage.unlink(scheduler);
    assert.deepEqual(ends(stage.hear({ type: 'models.listed', models: [] })), []);
    stage.link(scheduler, 'scheduler');
    assert.deepEqual(ends(stage.report(0, 0)), []);
  });
});

test('word of a job that has gone on to another edition puts it into no queue any more', () => {
  const stage = new SchedulerStage();
  stage.enqueue({ job: 7, attempt: 2, version: '1+abc' });
  stage.enqueue({ job: 7, attempt: 1, version: '1' });
  const waiting = [...stage.scheduler.lanes.values()].map(({ version, queue }) => [version, queue.count]);
  assert.deepEqual(waiting, [
    ['1+abc', 1],
    ['1', 0],
  ]);
});
