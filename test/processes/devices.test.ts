// Devices on real processes: what a worker really runs on is shown, a device that fails is never left in silence, and
// nobody's request fails with it. WebGPU is tried for real where there is a driver that computes on the CPU.
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { onnxLinear, onnxNegations } from '../executor/onnx.js';
import { GrpcClient, http } from './client.js';
import { apart, type LogLine, RunningNode, Scratch, startNode, until } from './harness.js';
import { Load } from './load.js';
import { argumentsOf } from './proc.js';
import { ModelFolder } from './repository.js';
import { installDriver, noSwiftShader } from './swiftshader.js';

interface Row {
  readonly name: string;
  readonly state: string;
  readonly reason: string;
  readonly runs_on?: string;
}

async function rowOf(node: RunningNode, model: string): Promise<Row> {
  const { body } = await http(node.httpPort, '/v2/repository/index', {});
  const row = (body as unknown as readonly Row[]).find(({ name }) => name === model);
  assert.ok(row !== undefined, model);
  return row;
}

async function placeOf(node: RunningNode, model: string): Promise<string> {
  return (await rowOf(node, model)).runs_on ?? '';
}

const four = onnxNegations(4);
/** Far above what it takes: workers load, warm up and try their devices on a machine that has other things to do. */
const loadedMs = 120_000;

describe('a device that is missing', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  before(async () => {
    const models = new ModelFolder(scratch)
      .onnx('strict', four, ['maxBatch: 8', 'device: cuda'])
      .onnx('lenient', four, ['maxBatch: 8', 'device: tensorrt:1', 'fallback: cpu'])
      .onnx('plain', four, ['maxBatch: 8']);
    node = await startNode({ ...apart(scratch, models.folder), 'worker-count': 1 });
  });
  after(async () => {
    await node.dispose();
    scratch.remove();
  });

  test('is named with what is to be done where there is no fallback, and shown where there is', async (t) => {
    await until('it is settled', async () => (await rowOf(node, 'strict')).state !== 'LOADING', loadedMs);
    const strict = await rowOf(node, 'strict');
    if (strict.state === 'READY') return t.skip('this machine has CUDA');
    assert.equal(strict.state, 'UNAVAILABLE');
    assert.match(
      strict.reason,
      /its device cuda:0: .*can't be loaded; ONNXRUNTIME_NODE_INSTALL=cuda12 .*fallback: cpu/,
    );
    await until('lenient is there', async () => (await rowOf(node, 'lenient')).state === 'READY', loadedMs);
    const lenient = await rowOf(node, 'lenient');
    assert.match(lenient.runs_on ?? '', /^cpu \(fallback from tensorrt:1: .*\) in 1 worker$/);
    const warned = await node.line(({ event }) => event === 'model.fallback', 'the fallback is told');
    assert.deepEqual([warned.model, warned.runsOn], ['lenient', 'cpu']);
    assert.match(String(warned.reason), /tensorrt:1: .*can't be loaded/);
    await until('plain is there', async () => (await placeOf(node, 'plain')) === 'cpu in 1 worker', loadedMs);
    const config = (await http(node.httpPort, '/v2/models/lenient/config')).body as {
      instance_group: readonly { kind: string; count: number }[];
      parameters: { runs_on: { string_value: string } };
    };
    assert.equal(config.parameters.runs_on.string_value, lenient.runs_on);
    assert.deepEqual(config.instance_group, [{ name: 'lenient_0', kind: 'KIND_CPU', count: 1 }]);
  });
});

describe('WebGPU', { skip: noSwiftShader }, () => {
  const scratch = new Scratch();
  const driver = noSwiftShader === false ? installDriver(scratch) : undefined;
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    const linear = onnxLinear(8, 3);
    const models = new ModelFolder(scratch)
      .onnx('gpu', linear, ['maxBatch: 1', 'batching: { needs: [webgpu] }'])
      .onnx('plain', linear, ['maxBatch: 1', 'device: cpu'])
      .onnx('chosen', linear, ['maxBatch: 1', 'device: auto'])
      .onnx('both', four, ['maxBatch: 1'])
      .onnx('lenient', four, ['maxBatch: 1', 'fallback: cpu']);
    const flags = {
      ...apart(scratch, models.folder),
      device: 'webgpu,cpu',
      'cache-folder': scratch.path('cache'),
    };
    node = await new RunningNode({ flags, environment: driver?.environment ?? {} }).ready(loadedMs);
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  function workerOn(device: string): number {
    const found = node.workers().find(({ pid }) => argumentsOf(pid)[2]?.includes(`"device":"${device}"`));
    assert.ok(found !== undefined, node.tail());
    return found.pid;
  }

  async function answer(model: string): Promise<readonly number[]> {
    const data = Array.from({ length: 8 }, (_, at) => Math.sin(at));
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 8], data }];
    const { body } = await http(node.httpPort, `/v2/models/${model}/infer`, { inputs });
    const { outputs, error } = body as unknown as { outputs?: readonly { data: number[] }[]; error?: string };
    assert.ok(outputs?.[0] !== undefined, `${error}: ${node.tail()}`);
    return outputs[0].data;
  }

  test('answers as the CPU does, and what runs where is shown', async () => {
    await until(
      'it is ready on it',
      async () => (await placeOf(node, 'gpu')) === 'webgpu in 1 worker',
      loadedMs,
    );
    const [there, here] = [await answer('gpu'), await answer('plain')];
    assert.equal(there.length, 3);
    for (const [at, value] of there.entries())
      assert.ok(Math.abs(value - (here[at] as number)) < 1e-5, `${there} and ${here}`);
    await until(
      'plain is ready',
      async () => (await placeOf(node, 'plain')) === 'cpu in 2 workers',
      loadedMs,
    );
    await until(
      'both are ready',
      async () => (await placeOf(node, 'both')).split(',').length === 2,
      loadedMs,
    );
    assert.match(
      await placeOf(node, 'both'),
      /^(webgpu in 1 worker, cpu in 1 worker|cpu in 1 worker, webgpu in 1 worker)$/,
    );
    const isOnIt = ({ event, wanted }: LogLine): boolean => event === 'worker.device' && wanted === 'webgpu';
    const said = await node.line(isOnIt, 'what it runs on');
    assert.deepEqual([said.wanted, said.device, said.reason], ['webgpu', 'webgpu', '']);
    const config = await http(node.httpPort, '/v2/models/gpu/config');
    assert.match(JSON.stringify(config.body), /"kind":"KIND_GPU","count":1/);
  });

  test('that is slower than the CPU is not what auto takes', async () => {
    await until(
      'it is settled',
      async () => (await placeOf(node, 'chosen')) === 'cpu in 2 workers',
      loadedMs,
    );
  });

  test('that fails costs nobody an answer: it is out where there is no fallback, shown where there is, and comes back', async () => {
    let answers = 0;
    const load = new Load(client, { model: 'both', unary: 4, answered: () => answers++ }).start();
    await until('load is under way', () => answers > 50, loadedMs);
    const manifest = driver?.manifest ?? '';
    renameSync(manifest, `${manifest}.away`);
    process.kill(workerOn('webgpu'), 'SIGKILL');
    await until(
      'the fresh one finds no device',
      () => node.lines.some(({ event, device }) => event === 'worker.device' && device === 'none'),
      loadedMs,
    );
    const fallen =
      /^cpu in 1 worker, cpu \(fallback from webgpu: .*the Vulkan loader finds no driver; .*\) in 1 worker$/;
    await until(
      'the lenient one runs on the CPU',
      async () => fallen.test(await placeOf(node, 'lenient')),
      loadedMs,
    );
    // A worker that is doubted for a moment is not counted meanwhile.
    await until('both is out', async () => (await placeOf(node, 'both')) === 'cpu in 1 worker', loadedMs);
    const isOut = ({ event, model }: LogLine): boolean => event === 'model.failed' && model === 'both';
    const failed = await node.line(isOut, 'why both is out');
    assert.match(String(failed.reason), /its device webgpu: .*no driver.*fallback: cpu/);
    assert.notEqual((await rowOf(node, 'gpu')).state, 'READY');
    renameSync(`${manifest}.away`, manifest);
    process.kill(workerOn('webgpu'), 'SIGKILL');
    await until(
      'it is back',
      async () => (await placeOf(node, 'both')).includes('webgpu in 1 worker'),
      loadedMs,
    );
    const result = await load.stop();
    assert.deepEqual(result.errors, [], node.tail());
    assert.ok(result.sent > 100);
  });
});
