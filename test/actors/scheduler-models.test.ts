// What a scheduler says of models: who has them ready, who could not load them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import { batchingDefaults } from '../../proto/batching.js';
import { otherRouter, SchedulerStage as Stage } from './scheduler-stage.js';
import { digits, notes, otherWorker, router, said, told, worker } from './stage.js';

const manner = { policy: 'auto', why: 'nothing has come yet: the first requests decide' } as const;

describe('word of models', () => {
  const counts = (effects: readonly Effect[]) => {
    const report = said(effects, 'model.reported').find(({ model }) => model === digits.model);
    return [report?.ready, report?.loading, report?.failed, report?.reason];
  };

  test('goes to every router, and to a new one', () => {
    const stage = new Stage();
    const epoch = stage.join(worker, 1, { state: 'loading' });
    const report = {
      type: 'model.reported',
      ...digits,
      ready: 1,
      loading: 0,
      failed: 0,
      resting: 0,
      reason: '',
      runsOn: [['cpu', 1]],
      ...manner,
    };
    assert.deepEqual(
      told(stage.share(worker, epoch)),
      [router, otherRouter].map((to) => ({ to, message: report })),
    );
    const effects = stage.hear({ type: 'link.opened', member: 'router-3.g', roles: ['router'] });
    assert.deepEqual(told(effects), [{ to: 'router-3.g', message: report }]);
  });

  test('counts who failed, and says why', () => {
    const stage = new Stage();
    stage.join(worker, 1, { state: 'loading' });
    const epoch = stage.join(otherWorker, 1, { state: 'loading' });
    const effects = stage.share(otherWorker, epoch, { state: 'failed', reason: 'not an ONNX file' });
    assert.deepEqual(counts(effects), [0, 1, 1, 'not an ONNX file']);
    assert.equal(notes(effects)[0]?.event, 'share.failed');
  });

  test('holds nothing against a model that a worker had ready before', () => {
    const stage = Stage.with([worker]);
    const epoch = stage.join(otherWorker, 1, { state: 'loading' });
    const effects = stage.share(otherWorker, epoch, { state: 'failed', reason: 'no memory' });
    assert.deepEqual(counts(effects), [1, 0, 0, '']);
    assert.deepEqual(counts(stage.hear({ type: 'link.lost', member: worker, reason: '' })), [0, 0, 0, '']);
  });

  test('expects models of a worker that has told of none, and none but those it has told of', () => {
    const stage = new Stage();
    stage.join(worker, 1, { state: 'failed' });
    stage.link(otherWorker, 'worker');
    const register = { name: 'worker-2', device: 'cpu', tags: [], inlineCredits: 1, threadCredits: 1 };
    const effects = stage.hear({ type: 'worker.register', ...register }, otherWorker);
    assert.deepEqual(counts(effects), [0, 1, 1, '']);
    assert.deepEqual(counts(stage.share(otherWorker, 2, { model: 'tiny' })), [0, 0, 1, '']);
  });

  test('of an old epoch is not believed', () => {
    const stage = Stage.with([worker]);
    assert.deepEqual(stage.share(worker, 99, { state: 'failed' }), []);
    assert.ok(stage.place());
  });

  test('a worker under an epoch that is over is told to register again', () => {
    const stage = Stage.with([worker]);
    const effects = stage.hear({ type: 'worker.reported', epoch: 7, held: [] }, worker);
    assert.deepEqual(
      said(effects, 'worker.fenced').map(({ epoch }) => epoch),
      [7],
    );
    const stranger = stage.hear({ type: 'worker.reported', epoch: 1, held: [] }, otherWorker);
    assert.equal(told(stranger)[0]?.to, otherWorker);
  });
});

describe('a model that no worker can load', () => {
  const refusals = (effects: readonly Effect[]) =>
    said(effects, 'job.refused').map(({ job, code, reason }) => [job, code, reason]);
  const torn = { state: 'failed', reason: 'not an ONNX file' } as const;
  const answer = ['MODEL_UNAVAILABLE', 'model digits version 1: not an ONNX file'] as const;

  test('is waited for until the last has tried, and by nobody after that', () => {
    const stage = new Stage();
    const epochs = [worker, otherWorker].map((member) => stage.join(member, 1, { state: 'resting' }));
    stage.enqueue();
    stage.enqueue();
    assert.deepEqual(refusals(stage.share(worker, epochs[0] as number, torn)), []);
    assert.deepEqual(refusals(stage.share(otherWorker, epochs[1] as number, { state: 'loading' })), []);
    assert.deepEqual(refusals(stage.share(otherWorker, epochs[1] as number, torn)), [
      [1, ...answer],
      [2, ...answer],
    ]);
    assert.deepEqual(refusals(stage.enqueue()), [[3, ...answer]], 'nor by who comes again');
    stage.share(worker, epochs[0] as number);
    assert.deepEqual(refusals(stage.enqueue()), []);
  });

  test('though it was ready: by nobody once all that had it ready have come back without it', () => {
    const stage = Stage.with([worker, otherWorker]);
    for (const member of [worker, otherWorker])
      stage.hear({ type: 'worker.exited', worker: member, cause: 'killed', detail: '' });
    stage.enqueue();
    const again = stage.join(worker, 1, { state: 'loading' });
    assert.deepEqual(refusals(stage.share(worker, again, torn)), [], 'the other may have it yet');
    const other = stage.join(otherWorker, 1, { state: 'loading' });
    assert.deepEqual(refusals(stage.share(otherWorker, other, torn)), [[1, ...answer]]);
  });

  test('one that is in doubt may have it after that', () => {
    const stage = Stage.with([worker]);
    stage.hear({ type: 'worker.exited', worker, cause: 'killed', detail: '' });
    stage.enqueue();
    const epoch = stage.join(worker, 1, { state: 'loading' });
    stage.hear({ type: 'worker.confined', epoch, confined: true, reason: 'its golden input fails' }, worker);
    assert.deepEqual(refusals(stage.share(worker, epoch, torn)), []);
  });

  test('who alone has the tag that it needs is waited for while it starts', () => {
    const stage = new Stage();
    const epoch = stage.join(otherWorker);
    const described = { type: 'model.described', epoch, ...digits, ...batchingDefaults } as const;
    stage.hear({ ...described, needs: ['gpu'] }, otherWorker);
    assert.deepEqual(refusals(stage.enqueue()), []);
  });
});

describe('a scheduler that is asked which models only some workers have', () => {
  const askOf = (stage: Stage, leaving: string[], gone: string[] = []) =>
    said(stage.hear({ type: 'soles.ask', asked: 5, leaving, gone }, router), 'soles.told')[0]?.models;
  const other = { model: 'other', version: '2+abc' };

  test('says which workers it does not know: it may have just started', () => {
    const stage = new Stage();
    stage.join(worker);
    const asked = { type: 'soles.ask', asked: 5, leaving: [worker, otherWorker], gone: [] } as const;
    assert.deepEqual(said(stage.hear(asked, router), 'soles.told')[0]?.unknown, [otherWorker]);
  });

  test('counts those that have it or load it elsewhere, and names those that do not count', () => {
    const stage = new Stage();
    stage.share(worker, stage.join(worker), other);
    const epoch = stage.join(otherWorker, 1, { state: 'loading' });
    assert.deepEqual(askOf(stage, [worker]), [['other', '2', []]]);
    assert.deepEqual(askOf(stage, [otherWorker]), []);
    assert.deepEqual(askOf(stage, [worker], [otherWorker]), [
      ['digits', '1', [otherWorker]],
      ['other', '2', []],
    ]);
    stage.share(otherWorker, epoch, { ...other, version: '2+def' });
    assert.deepEqual(askOf(stage, [worker]), [], 'other files of the same version do as well');
    stage.hear({ type: 'worker.leaving', epoch }, otherWorker);
    assert.deepEqual(askOf(stage, [worker])?.length, 2);
    assert.deepEqual(askOf(stage, ['nobody']), []);
  });

  test('counts nobody who failed or lets it go', () => {
    const stage = Stage.with([worker]);
    const epoch = stage.join(otherWorker, 1, { state: 'failed' });
    assert.deepEqual(askOf(stage, [worker]), [['digits', '1', []]]);
    stage.share(otherWorker, epoch);
    assert.deepEqual(askOf(stage, [worker]), []);
    stage.share(worker, 1, { state: 'retiring' });
    assert.deepEqual(askOf(stage, [worker]), []);
  });
});
