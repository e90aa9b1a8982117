// `node runtime jobs` beside a node that runs: what clients were told of a job is found again by its id.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { writeOnnx } from '../executor/onnx.js';
import { http } from './client.js';
import { apart, type RunningNode, root, Scratch, startNode } from './harness.js';
import { ModelFolder } from './repository.js';

const run = promisify(execFile);

/** Looks numbers up; an index that is not there is the model's own error. */
const table = writeOnnx({
  inputs: [{ name: 'x', datatype: 'INT64', shape: ['rows'] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: ['rows'] }],
  nodes: [{ operator: 'Gather', inputs: ['values', 'x'], outputs: ['y'] }],
  weights: [{ name: 'values', shape: [2], values: Float32Array.from([10, 20]) }],
});

describe('node runtime jobs', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  before(async () => {
    const models = new ModelFolder(scratch)
      .simulated('steady', { alphaMs: 1 })
      .onnx('table', table, ['maxBatch: 8']).folder;
    node = await startNode({
      ...apart(scratch, models),
      'jobs-kept-max': 24,
      'worker-count': 1,
      'log-level': 'debug',
    });
  });
  after(async () => {
    await node.dispose();
    scratch.remove();
  });

  function infer(model: string, datatype: string, shape: number[], data: number[], parameters: object = {}) {
    const inputs = [{ name: 'x', datatype, shape, data }];
    return http(node.httpPort, `/v2/models/${model}/infer`, { inputs, parameters });
  }

  const steady = (parameters: object = {}) => infer('steady', 'FP32', [1, 4], [7, 1, 2, 3], parameters);

  async function jobs(...args: string[]): Promise<string> {
    const { stdout } = await run('node', ['runtime', 'jobs', ...args, '--http-port', String(node.httpPort)], {
      cwd: root,
    });
    return stdout;
  }

  test('a job that failed is told by the id that its client and the log have, among later good ones', async () => {
    const failed = await infer('table', 'INT64', [1], [9]);
    assert.equal(failed.status, 500, JSON.stringify(failed.body));
    const id = String(failed.headers.get('signalbox-job'));
    for (let count = 0; count < 5; count++) assert.equal((await steady()).status, 200);
    const line = await node.line(
      ({ event, job }) => event === 'job.ended' && job === id,
      'the end of the job',
    );
    assert.equal(line.code, 'MODEL_FAILED');
    const story = await jobs('show', id);
    assert.match(story, new RegExp(`^${id} {2}failed MODEL_FAILED after [\\d.]+ ms$`, 'm'));
    assert.match(story, /^ {2}model {5}table:1 \(1 row, 8 bytes\)$/m);
    assert.match(story, / ms {2}assigned {2}.*worker-1/);
    assert.equal(await jobs('show', id.split('/')[1] as string), story);
    const all = JSON.parse(await jobs('--json')) as { ended: { id: string; model: string }[] };
    assert.deepEqual(
      all.ended.map(({ model }) => model),
      ['table', 'steady', 'steady', 'steady'],
    );
    const bad = await jobs('--failed', '--last', '5');
    assert.ok(bad.includes(id) && !bad.includes('steady'), bad);
    assert.ok(!(await jobs('--model', 'steady')).includes('table'));
  });

  test('a past deadline is counted apart from one that passed', async () => {
    const past = await steady({ timeout: 1 });
    assert.deepEqual([past.status, past.headers.get('signalbox-code')], [504, 'DEADLINE_PAST']);
    const { body } = await http(node.httpPort, '/v2/models/steady/stats');
    const [stats] = (body as { model_stats: { response_stats: object; inference_stats: object }[] })
      .model_stats;
    assert.deepEqual(stats?.response_stats, { DEADLINE_PAST: { fail: { count: 1, ns: 0 } } });
  });

  test('wrong use ends with 2, a node that is not there with 1', async () => {
    await assert.rejects(run('node', ['runtime', 'jobs', '--lats', '3'], { cwd: root }), {
      code: 2,
      stderr: /argument --lats of jobs is not known; did you mean --last\?\n`node runtime jobs --help`/,
    });
    await assert.rejects(run('node', ['runtime', 'jobs', '--url', 'http://127.0.0.1:9'], { cwd: root }), {
      code: 1,
      stderr: /nobody answers at http:\/\/127\.0\.0\.1:9 /,
    });
    await assert.rejects(
      run('node', ['runtime', 'jobs', 'show', 'zzzz', '--http-port', String(node.httpPort)], { cwd: root }),
      {
        code: 1,
        stderr: /job "zzzz" is not known here/,
      },
    );
  });
});
