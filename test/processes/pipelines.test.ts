// Steps of a user's module around models of a real node: through both doors, with readiness, deadlines and a drain.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GrpcClient, http } from './client.js';
import { apart, RunningNode, Scratch, until } from './harness.js';
import { ModelFolder } from './repository.js';

const steps = `
export const count = (tensors, request) => {
  const text = Buffer.from(tensors[0].data.subarray(4)).toString();
  if (text === '') throw Object.assign(new Error('the text is empty'), { code: 'INPUT_INVALID' });
  const row = Float32Array.of(text.length, 0, 0, Number(request.parameters.get('add') ?? 0));
  return [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: new Uint8Array(row.buffer) }];
};
export const sum = ([answer]) => {
  const row = new Float32Array(answer.data.slice().buffer);
  const total = Float32Array.of(row.reduce((one, other) => one + other, 0));
  return [{ name: 'total', datatype: 'FP32', shape: [1], data: new Uint8Array(total.buffer) }];
};
`;
const pipeline = [
  'before: [./steps.mjs#count]',
  'after: [./steps.mjs#sum]',
  'takes: [{ name: text, datatype: BYTES, shape: [1] }]',
  'gives: [{ name: total, datatype: FP32, shape: [1] }]',
];

interface Infer {
  readonly outputs?: readonly { readonly name: string; readonly data: readonly number[] }[];
  readonly error?: string;
}

describe('models with steps of their owner', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  let client: GrpcClient;
  let models: ModelFolder;
  before(async () => {
    models = new ModelFolder(scratch)
      .simulated('plain')
      .simulated('slow', { alphaMs: 1500 })
      .config('outer', ['runs: plain', ...pipeline])
      .file('outer/steps.mjs', steps)
      .config('late', ['runs: slow', ...pipeline])
      .file('late/steps.mjs', steps)
      .config('lost', ['runs: nothing', ...pipeline])
      .file('lost/steps.mjs', steps)
      .config('own', ['backend: echo', 'maxBatch: 4', ...ownPorts, ...pipeline])
      .file('own/steps.mjs', steps)
      .config('garbled', ['runs: plain', ...pipeline])
      .file('garbled/steps.mjs', 'export const count = ;')
      .config('wrong', ['runs: plain', 'before: [image.recode]']);
    node = await new RunningNode({
      flags: { ...apart(scratch, models.folder), 'default-model': 'plain', admission: 'off' },
    }).ready();
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  const infer = (model: string, text: string, parameters: object = {}) =>
    http(node.httpPort, `/v2/models/${model}/infer`, {
      inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: [text] }],
      parameters,
    }) as Promise<{ status: number; body: Infer }>;

  test('answer through REST, by another model and by their own', async () => {
    for (const model of ['outer', 'own']) {
      const { status, body } = await infer(model, 'seven..', { add: 3 });
      assert.equal(status, 200, body.error);
      assert.deepEqual(body.outputs?.[0], { name: 'total', datatype: 'FP32', shape: [1], data: [10] });
    }
  });

  test('answer through gRPC, in both ways, and show the ports of their steps', async () => {
    const text = Buffer.concat([Buffer.from([5, 0, 0, 0]), Buffer.from('abcde')]);
    const fields = {
      model_name: 'outer',
      inputs: [{ name: 'text', datatype: 'BYTES', shape: [1] }],
      raw_input_contents: [text],
    };
    const answer = (await client.ask('ModelInfer', fields)) as { raw_output_contents: Buffer[] };
    assert.equal(answer.raw_output_contents[0]?.readFloatLE(0), 5);
    const metadata = (await client.ask('ModelMetadata', { name: 'outer' })) as Record<string, unknown>;
    assert.deepEqual(metadata['inputs'], [{ name: 'text', datatype: 'BYTES', shape: [1] }]);
    assert.equal(metadata['platform'], 'signalbox_pipeline');
    const streamed = await new Promise<string>((resolve) => {
      const stream = client.native.makeBidiStreamRequest(
        '/inference.GRPCInferenceService/ModelStreamInfer',
        (message: Buffer) => message,
        (bytes: Buffer) => bytes,
      );
      stream.on('data', (bytes: Buffer) => {
        resolve(bytes.toString('latin1'));
        stream.end();
      });
      stream.write(wireRequest('outer', text));
    });
    assert.match(streamed, /total/);
  });

  test('say which step refused what', async () => {
    const { status, body } = await infer('outer', '');
    assert.equal(status, 400);
    assert.equal(body.error, 'model "outer": ./steps.mjs#count: the text is empty');
  });

  test('have jobs of their own, whose stories are told, and are counted', async () => {
    const url = `http://127.0.0.1:${node.httpPort}/v2/models/outer/infer`;
    const jobOf = async (text: string): Promise<Record<string, unknown>> => {
      const inputs = [{ name: 'text', datatype: 'BYTES', shape: [1], data: [text] }];
      const headers = { 'signalbox-trace': '1' };
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ inputs }) });
      const id = answer.headers.get('signalbox-job') ?? '';
      const { body } = await http(node.httpPort, `/v2/signalbox/jobs/${id}`);
      return { ...(body as Record<string, unknown>), isIt: (body as { id: string }).id === id };
    };
    const statistics = async () => {
      const { body } = await http(node.httpPort, '/v2/models/outer/stats');
      const [{ inference_count, inference_stats }] = (body as { model_stats: [Counted] }).model_stats;
      return { count: inference_count, ...inference_stats };
    };
    const was = await statistics();
    const good = await jobOf('four');
    assert.deepEqual([good['isIt'], good['model'], good['ending']], [true, 'outer', 'completed']);
    const states = (good['path'] as { state: string }[]).map(({ state }) => state);
    assert.deepEqual(states, ['waiting', 'before', 'running', 'completed']);
    const bad = await jobOf('');
    assert.deepEqual([bad['isIt'], bad['ending'], bad['code']], [true, 'failed', 'INPUT_INVALID']);
    const is = await statistics();
    assert.deepEqual(
      [is.count - was.count, is.success.count - was.success.count, is.fail.count - was.fail.count],
      [1, 1, 1],
    );
    assert.ok(is.success.ns > was.success.ns);
  });

  test('end by their deadline, with a word on where they were', async () => {
    const { status, body } = await infer('late', 'abc', { timeout: 400_000 });
    assert.equal(status, 504);
    assert.match(String(body.error), /deadline .*400 ms|waited for 1 of 1 jobs/);
  });

  test('are as ready as the model behind them, and say why not', async () => {
    const ready = async (model: string) => http(node.httpPort, `/v2/models/${model}/ready`);
    assert.equal((await ready('outer')).status, 200);
    const lost = await ready('lost');
    assert.equal(lost.status, 503);
    assert.match(JSON.stringify(lost.body), /runs \\"nothing\\", which is not in the repository/);
    const asked = await infer('lost', 'abc');
    assert.equal(asked.status, 503);
    assert.match(
      JSON.stringify((await ready('wrong')).body),
      /wrong.config\.yaml: before\[0\] is \\"image\.recode\\"/,
    );
  });

  test('are not served where their steps can not be had, and are again once those are mended and loaded', async () => {
    const ready = async () => http(node.httpPort, '/v2/models/garbled/ready');
    await until('the steps have been looked at', async () => (await ready()).status === 503);
    assert.match(
      JSON.stringify((await ready()).body),
      /garbled.config\.yaml: before\[0\] \(\.\/steps\.mjs#count\): .*steps\.mjs can't be imported: SyntaxError/,
    );
    const told = await infer('garbled', 'abc');
    assert.equal(told.status, 503);
    assert.match(told.body.error ?? '', /can't be imported: SyntaxError/);
    const load = () => http(node.httpPort, '/v2/repository/models/garbled/load', {});
    models.file('garbled/steps.mjs', steps);
    assert.equal((await load()).status, 200);
    assert.equal((await infer('garbled', 'abcd')).status, 200);

    models.file('garbled/steps.mjs', steps.replace('export const sum', 'export const gone'));
    const refused = await load();
    assert.equal(refused.status, 503);
    assert.match(JSON.stringify(refused.body), /exports no sum; it exports count, gone/);
    const { status, body } = await infer('garbled', 'abcd');
    assert.equal(status, 200, `what was loaded before serves on: ${body.error}`);
  });

  test('a stop waits for those that are under way', async () => {
    const asked = infer('late', 'abc');
    await until('its job runs', async () => {
      const { body } = await http(node.httpPort, '/v2/signalbox/jobs?model=slow');
      return (body as { live: unknown[] }).live.length > 0;
    });
    const ended = node.stop();
    const { status, body } = await asked;
    assert.equal(status, 200, body.error);
    assert.equal((await ended).code, 0);
  });
});

interface Counted {
  readonly inference_count: number;
  readonly inference_stats: Record<'success' | 'fail', { readonly count: number; readonly ns: number }>;
}

const ownPorts = [
  'inputs: [{ name: x, datatype: FP32, shape: [-1, 4] }]',
  'outputs: [{ name: x, datatype: FP32, shape: [-1, 4] }]',
];

/** A ModelInferRequest by hand: model, one BYTES input of one element, its content. */
function wireRequest(model: string, content: Buffer): Buffer {
  const field = (number: number, bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  const input = Buffer.concat([
    field(1, Buffer.from('text')),
    field(2, Buffer.from('BYTES')),
    field(3, Buffer.from([1])),
  ]);
  return Buffer.concat([field(1, Buffer.from(model)), field(5, input), field(7, content)]);
}
