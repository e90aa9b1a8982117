// A precision that a request asks for, on real processes and at both doors: it answers, also behind a pipeline and after a
// reload, and what is not there is refused with what is.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GrpcClient, http, rowOf } from './client.js';
import { apart, type RunningNode, Scratch, startNode } from './harness.js';
import { ModelFolder } from './repository.js';
import { scaling } from './scaled.js';

const files = 'variants: { one: model.onnx, two: model.two.onnx, three: model.three.onnx }';
const steps = 'export const same = (tensors) => tensors;';
const ports = (name: string): string => `[{ name: ${name}, datatype: FP32, shape: [1, 4] }]`;

describe('a request chooses a variant', () => {
  const scratch = new Scratch();
  const models = new ModelFolder(scratch)
    .onnx('scaled', scaling(1), ['maxBatch: 4', files, 'variantsByRequest: [two]'])
    .file('scaled/1/model.two.onnx', scaling(2))
    .file('scaled/1/model.three.onnx', scaling(3))
    .onnx('halved', scaling(1), [
      'variants: { one: model.onnx, bad: bad.onnx }',
      'variantsByRequest: all',
      'maxBatch: 4',
    ])
    .file('halved/1/bad.onnx', scaling(2, 'Nonsense'))
    .simulated('plain')
    .config('outer', [
      'runs: scaled',
      'before: [./steps.mjs#same]',
      `takes: ${ports('x')}`,
      `gives: ${ports('y')}`,
      'after: []',
    ])
    .file('outer/steps.mjs', steps);
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    node = await startNode(apart(scratch, models.folder));
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  async function overGrpc(model: string, variant?: string): Promise<number | string> {
    const asked = { ...rowOf(model, 5), ...(variant === undefined ? {} : { variant }) };
    const { status, values, code, message } = await client.infer(asked);
    assert.ok(status === 'OK' || message.startsWith(code), 'a refusal begins with its code');
    return status === 'OK' ? (values[0] as number) / 5 : message;
  }

  async function overRest(model: string, variant?: string): Promise<number | string> {
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [5, 5, 5, 5] }];
    const { status, body } = await http(node.httpPort, `/v2/models/${model}/infer`, {
      inputs,
      ...(variant === undefined ? {} : { parameters: { variant } }),
    });
    const { outputs, error } = body as { outputs?: { data: number[] }[]; error?: string };
    return status === 200 ? (outputs?.[0]?.data[0] as number) / 5 : `${status}: ${error}`;
  }

  async function factors(model: string): Promise<(number | string)[]> {
    const answers: (number | string)[] = [];
    for (const variant of [undefined, 'one', 'two']) {
      answers.push(await overGrpc(model, variant), await overRest(model, variant));
    }
    return answers;
  }

  test('of those that are loaded for it, at both doors', async () => {
    assert.deepEqual(await factors('scaled'), [1, 1, 1, 1, 2, 2]);
  });

  test('of the model behind a pipeline', async () => {
    assert.deepEqual(await factors('outer'), [1, 1, 1, 1, 2, 2]);
  });

  test('requests for different ones that are in flight together never share a batch', async () => {
    const wanted = Array.from({ length: 64 }, (_, at) => (at % 2 === 0 ? 'one' : 'two'));
    const answers = await Promise.all(wanted.map((variant) => overGrpc('scaled', variant)));
    assert.deepEqual(
      answers,
      wanted.map((variant) => (variant === 'one' ? 1 : 2)),
    );
  });

  test('what is not there is refused with what is', async () => {
    const unknown =
      'parameter "variant" is "four", which model "scaled" version 1 does not have: requests may choose "one", "two"';
    assert.equal(await overGrpc('scaled', 'four'), `INPUT_INVALID: ${unknown}`);
    assert.equal(await overRest('scaled', 'four'), `400: ${unknown}`);
    assert.equal(await overRest('outer', 'four'), `400: ${unknown}`);
    assert.match(
      String(await overGrpc('scaled', 'three')),
      /^INPUT_INVALID: .*loads for no request: requests may choose "one", "two"; variantsByRequest in its config/,
    );
    assert.equal(
      await overGrpc('plain', 'two'),
      'INPUT_INVALID: parameter "variant" is "two", but model "plain" version 1 has no variants',
    );
  });

  test('one that no worker can load is told of, and the others serve', async () => {
    assert.deepEqual([await overGrpc('halved'), await overGrpc('halved', 'one')], [1, 1]);
    assert.match(
      String(await overGrpc('halved', 'bad')),
      /^MODEL_UNAVAILABLE: .*version 1 \(variant bad\): .*bad\.onnx.*Nonsense/s,
    );
    const { body } = await http(node.httpPort, '/v2/repository/index', {});
    const { state, reason } = (body as { name: string; state: string; reason: string }[]).find(
      ({ name }) => name === 'halved',
    ) as { state: string; reason: string };
    assert.equal(state, 'READY');
    assert.match(reason, /^no request can choose variant bad: .*Nonsense/s);
  });

  test('a reload brings the variants along', async () => {
    models.file('scaled/1/model.two.onnx', scaling(7));
    const { status } = await http(node.httpPort, '/v2/repository/models/scaled/load', {});
    assert.equal(status, 200);
    assert.deepEqual(await factors('scaled'), [1, 1, 1, 1, 7, 7]);
  });

  test('where one of them can not be loaded all serve as they did', async () => {
    models.file('scaled/1/model.two.onnx', scaling(2, 'Nonsense'));
    models.file('scaled/1/model.onnx', scaling(4));
    const { status, body } = await http(node.httpPort, '/v2/repository/models/scaled/load', {});
    assert.notEqual(status, 200);
    assert.match(
      (body as { error: string }).error,
      /scaled version 1 can't be served: variant two: .*Nonsense/s,
    );
    assert.deepEqual(await factors('scaled'), [1, 1, 1, 1, 7, 7]);
  });
});
