// A worker process whose node is lost: it ends with it, and nobody waits for word of that. An outside hand is no evidence
// against what ran, also when word of it comes after the loss.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Directory } from '../../actors/directory.js';
import type { Effect } from '../../actors/effects.js';
import { SchedulerStage } from './scheduler-stage.js';
import { only, otherWorker, RouterStage, replyOf, said, worker } from './stage.js';

const node = 'node-1.eeeeee';
const otherNode = 'node-2.ffffff';

/** Two nodes with a worker each; the first job runs at the first. */
function running(idempotent = true): RouterStage {
  const stage = RouterStage.usual();
  for (const [host, its] of [
    [node, worker],
    [otherNode, otherWorker],
  ] as const) {
    stage.link(host, 'host');
    stage.hear({ type: 'link.opened', member: its, roles: ['worker'], node: host });
  }
  stage.submit({ budgetMs: 60_000, idempotent });
  stage.assign([1]);
  stage.start([1]);
  return stage;
}

function asked(effects: readonly Effect[]): (string | number)[] {
  return said(effects, 'job.enqueue').flatMap((again) => [again.company, again.attempt]);
}

describe('the node of a worker is lost', () => {
  test('its jobs go on at once, and once', () => {
    const stage = running();
    assert.deepEqual(asked(stage.unlink(node)), ['solo', 2]);
    assert.deepEqual(asked(stage.unlink(worker)), []);
    const { deaths, losses } = stage.router.job(1) ?? {};
    assert.deepEqual({ deaths, losses }, { deaths: 1, losses: 1 });
  });

  test('another node is no matter of theirs', () => {
    assert.deepEqual(asked(running().unlink(otherNode)), []);
  });

  test('what must not run twice is lost with its worker alone, which may answer yet', () => {
    const stage = running(false);
    assert.deepEqual(only(stage.unlink(node), 'reply'), []);
    assert.equal(replyOf(stage.finish([1], [''])).end.ending, 'completed');

    const gone = running(false);
    gone.unlink(node);
    assert.equal(replyOf(gone.unlink(worker)).end.code, 'RUN_LOST');
  });

  test('nothing is handed to it until the node is back', () => {
    const stage = running();
    stage.unlink(otherNode);
    stage.submit({ budgetMs: 60_000 });
    assert.equal(said(stage.assign([2], otherWorker), 'batch.declined').length, 1);
    assert.equal(stage.state(), 'queued');
    stage.link(otherNode, 'host');
    assert.equal(said(stage.assign([2], otherWorker), 'batch.run').length, 1);
  });

  test('a scheduler gives it nothing until the node is back, and goes on calling the model ready', () => {
    const stage = SchedulerStage.with([worker]);
    const open = (member: string, role: 'host' | 'worker') =>
      stage.hear({ type: 'link.opened', member, roles: [role], node: role === 'worker' ? node : '' });
    open(worker, 'worker');
    open(node, 'host');
    const lost = stage.hear({ type: 'link.lost', member: node, reason: '' });
    assert.deepEqual(said(lost, 'model.reported'), []);
    assert.equal(stage.place(), undefined);
    open(node, 'host');
    assert.equal(stage.settle().length, 1);
  });
});

describe('word that an outside hand ended the worker', () => {
  test('lifts the watch of who waits, who asks again for what it asked for before', () => {
    const stage = running();
    assert.deepEqual(asked(stage.unlink(worker)), ['solo', 2]);
    const effects = stage.exit('killed');
    assert.equal(said(effects, 'job.withdraw').length, 1);
    assert.deepEqual(asked(effects), ['any', 3]);
    assert.equal(stage.router.job(1)?.deaths, 0);

    const failed = running();
    failed.finish([1], ['RESULT_INVALID']);
    failed.assign([1]);
    assert.deepEqual(asked(failed.unlink(worker)), ['solo', 3]);
    assert.deepEqual(asked(failed.exit('killed')), ['alone', 4]);
  });

  test('leaves who is placed already where it is', () => {
    const stage = running();
    stage.unlink(worker);
    stage.assign([1], otherWorker, true);
    assert.deepEqual(asked(stage.exit('killed')), []);
    assert.deepEqual([stage.state(), stage.router.job(1)?.company], ['assigned', 'solo']);
  });
});

describe('a directory knows orphans', () => {
  test('only between the loss of their node and their own, or its return', () => {
    const directory = new Directory();
    directory.open(worker, ['worker'], node);
    assert.equal(directory.isOrphan(worker), false, 'its node may not be linked yet');
    directory.open(node, ['health', 'host']);
    directory.close(node);
    assert.equal(directory.isOrphan(worker), true);
    directory.open(node, ['health', 'host']);
    assert.equal(directory.isOrphan(worker), false);
    directory.close(node);
    directory.close(worker);
    assert.equal(directory.isOrphan(worker), false);
    assert.deepEqual(directory.workersOf(node), []);
  });
});
