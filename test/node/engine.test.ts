// What a client gets of a worker's answer: its own rows, or, when the answer's bytes are not those of its shape, the
// word that it is none. Never another client's rows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Slice } from '../../actors/effects.js';
import { completed } from '../../actors/router/endings.js';
import type { Said } from '../../proto/messages.js';
import type { Answer } from '../../runtime/doors/engine.js';
import type { Host } from '../../runtime/host/host.js';
import { type ModelConfig, readModelConfig } from '../../runtime/models/config.js';
import { Repository } from '../../runtime/models/repository.js';
import { NodeEngine } from '../../runtime/node/engine.js';
import type { Keeper } from '../../runtime/node/keeper.js';
import { viewOf } from '../../runtime/node/views.js';
import { RouterStage, scheduler, specOf } from '../actors/stage.js';
import { entry, port } from '../doors/entries.js';
import { sample } from '../proto/samples.js';

/** Two members ran, with one and three rows; the third was cancelled. */
const finished = sample('batch.finished');
const scores = new Uint8Array(Float32Array.from({ length: 40 }, (_, element) => element).buffer);
const words = new Uint8Array(51);
const times = { queueMs: 0, computeInputMs: 0, computeMs: 1, computeOutputMs: 0, batchRows: 4 };
const first: Slice = { member: 0, rowsBefore: 0, rows: 1, rowsTotal: 4, times };
const second: Slice = { member: 1, rowsBefore: 1, rows: 3, rowsTotal: 4, times };
const alone: Slice = { ...first, rows: 4 };

function answerOf(heard: Said<'batch.finished'>, frames: readonly Uint8Array[], slice: Slice): Answer {
  const engine = new NodeEngine('node-1.aaaaaa', RouterStage.usual().router, new Repository([]));
  const answers: Answer[] = [];
  engine.submit({ spec: specOf(), payload: [] }, (answer) => answers.push(answer));
  const record = { path: () => [] };
  engine.reply({ type: 'reply', job: 1, end: completed, record, slice }, { heard, frames });
  assert.equal(answers.length, 1);
  return answers[0] as Answer;
}

test('each client gets its own rows', () => {
  const [ownScores, ownWords] = answerOf(finished, [scores, words], second).outputs;
  assert.deepEqual(ownScores?.shape, [3, 10]);
  assert.deepEqual(ownScores?.data, scores.subarray(40));
  assert.deepEqual([ownWords?.shape, ownWords?.data.length], [[3, 1], 40]);
  assert.equal(answerOf(finished, [scores, words], alone).outputs[1]?.data.length, 51);
});

const wrong: readonly (readonly [string, readonly Uint8Array[], Partial<Said<'batch.finished'>>, RegExp])[] =
  [
    ['a tensor that is missing', [scores], {}, /output word has 0 bytes, its shape wants 51/],
    ['too few bytes', [scores.subarray(4), words], {}, /output scores has 156 bytes, its shape wants 160/],
    ['too many', [new Uint8Array(164), words], {}, /output scores has 164 bytes, its shape wants 160/],
    [
      'BYTES beside their sizes',
      [scores, words.subarray(1)],
      {},
      /output word has 50 bytes, its shape wants 51/,
    ],
    [
      'rows beside those of the batch',
      [scores, words],
      { outputs: [['scores', 'FP32', [10, 4]], finished.outputs[1] as (typeof finished.outputs)[number]] },
      /output scores has the shape \[10,4\], wanted are 4 rows/,
    ],
  ];
for (const [what, frames, changes, says] of wrong) {
  test(`${what} in an answer make it none`, () => {
    for (const slice of [first, second]) {
      const { end, outputs, times: told } = answerOf({ ...finished, ...changes }, frames, slice);
      assert.deepEqual([end.ending, end.code], ['failed', 'RESULT_INVALID']);
      assert.match(end.message, says);
      assert.deepEqual([outputs, told], [[], undefined]);
    }
  });
}

test('a request that was alone in its batch is looked at as well', () => {
  const { end } = answerOf(finished, [scores.subarray(4), words], alone);
  assert.equal(end.code, 'RESULT_INVALID');
});

test('the node is as ready as its router', () => {
  const stage = RouterStage.usual();
  const engine = new NodeEngine('node-1.aaaaaa', stage.router, new Repository([]));
  assert.deepEqual([engine.ready(), engine.unreadyReason()], [true, '']);
  stage.submit();
  stage.assign([1]);
  stage.finish([1], ['QUEUE_FULL']);
  assert.deepEqual([engine.ready(), stage.router.chart.has('ready')], [false, true]);
  assert.match(engine.unreadyReason(), /invariant/);
});

test('what did not end well is counted under its code, also what never became a job', () => {
  const engine = new NodeEngine('node-1.aaaaaa', RouterStage.usual().router, new Repository([]));
  const { model, version } = specOf();
  engine.turnedAway(model, version, 'DEADLINE_PAST');
  engine.turnedAway(model, version, 'DEADLINE_PAST');
  engine.submit({ spec: specOf(), payload: [] }, () => {});
  const end = { ending: 'expired', code: 'DEADLINE_EXCEEDED', message: 'late', retryAfterMs: 0 } as const;
  const reply = { type: 'reply', job: 1, end, record: { path: () => [] }, slice: undefined } as const;
  engine.reply(reply, { heard: finished, frames: [] });
  const { fail, codes, success } = engine.counters(model, version);
  assert.deepEqual([fail.count, success.count], [3, 0]);
  assert.deepEqual(
    [...codes],
    [
      ['DEADLINE_PAST', 2],
      ['DEADLINE_EXCEEDED', 1],
    ],
  );
});

test('how a model is batched is what its scheduler has reported last', () => {
  const stage = RouterStage.usual();
  const engine = new NodeEngine('node-1.aaaaaa', stage.router, new Repository([]));
  const { model, version } = specOf();
  const counts = { ready: 1, loading: 0, failed: 0, resting: 0, reason: '', runsOn: [] };
  const policy = 'window';
  stage.hear(
    { type: 'model.reported', model, version, ...counts, policy, why: 'its owner said so' },
    scheduler,
  );
  assert.deepEqual(engine.manner(model, version), { policy, why: 'its owner said so' });
  assert.deepEqual(engine.manner('another', '1'), { policy: 'auto', why: '' });
});

test('how a model is batched is told truly also where nothing has come, or can', () => {
  const ports = [port('x', 'FP32', [-1, 2])];
  const usual = entry('window', '1', 8, ports, ports);
  const windowed = readModelConfig('{ maxBatch: 8, batching: { policy: window } }') as ModelConfig;
  const engine = new NodeEngine(
    'node-1.aaaaaa',
    RouterStage.usual().router,
    new Repository([
      { ...usual, config: windowed },
      { ...usual, name: 'auto' },
      { ...usual, name: 'broken', state: 'unavailable', reason: 'model.onnx is no ONNX file' },
      entry('single', '1', 0, ports, ports),
      { ...usual, name: 'once', config: { ...usual.config, idempotent: false } },
    ]),
  );
  const told = (name: string) => {
    const { policy, why } = engine.manner(name, '1');
    return `${policy}: ${why}`;
  };
  assert.equal(told('window'), "window: the model's configuration says so");
  assert.equal(told('auto'), 'auto: ');
  assert.equal(told('broken'), "auto: it can't be served: model.onnx is no ONNX file");
  assert.equal(told('single'), 'auto: it does not batch (maxBatch is 0): each request runs by itself');
  assert.equal(told('once'), 'auto: it does not batch (idempotent is false): each request runs by itself');
});

test('a model that no worker may run says why instead of how it is batched', () => {
  const stage = RouterStage.usual();
  const { model, version } = specOf();
  const ports = [port('x', 'FP32', [-1, 2])];
  const engine = new NodeEngine(
    'node-1.aaaaaa',
    stage.router,
    new Repository([entry(model, version, 8, ports, ports)]),
  );
  const reason = 'no worker has the tag gpu that its configuration asks for';
  const report = {
    type: 'model.reported',
    model,
    version,
    ready: 0,
    loading: 0,
    failed: 1,
    resting: 0,
    reason,
  } as const;
  stage.hear({ ...report, policy: 'auto', why: 'nothing has come yet', runsOn: [] }, scheduler);
  assert.deepEqual(engine.manner(model, version), { policy: 'auto', why: `it can't be run: ${reason}` });
});

test('people are shown priorities as clients give them', () => {
  const { priority } = viewOf('router-1', 42, specOf({ priority: 0 }), []);
  assert.equal(priority, 1);
});

test('a closed engine turns clients back and says so; pieces of what was taken still go through', async () => {
  const { router } = RouterStage.usual();
  const engine = new NodeEngine('node-1.aaaaaa', router, new Repository([]));
  const heard: string[] = [];
  engine.attach({ hear: ({ type }: { type: string }) => void heard.push(type) } as unknown as Host);
  engine.close();
  const answer = await new Promise<Answer>((resolve) =>
    engine.submit({ spec: specOf(), payload: [] }, resolve),
  );
  assert.deepEqual([answer.end.ending, answer.end.code], ['rejected', 'DRAINING']);
  assert.deepEqual([engine.ready(), heard], [false, []]);
  assert.match(engine.unreadyReason(), /shutting down/);
  engine.submitPiece({ spec: specOf(), payload: [] }, () => {});
  assert.deepEqual(heard, ['job.submitted']);
});

test('where clients may not load and unload models they are told which setting says so', async () => {
  const { router } = RouterStage.usual();
  const engine = new NodeEngine('node-1.aaaaaa', router, new Repository([]));
  engine.attachKeeper({} as unknown as Keeper, 'off');
  for (const act of [engine.loadModel('m'), engine.unloadModel('m')])
    await assert.rejects(act, { code: 'UNSUPPORTED', message: /its setting modelControl is off/ });
});
