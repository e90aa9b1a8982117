// What the gRPC door tells of the server and its models, health, reflection, what it refuses, how it starts and stops.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import {
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath } from 'grpc-health-check';
import { doorDefaults } from '../../runtime/doors/door.js';
import type { Fields } from '../../runtime/doors/grpc/definitions.js';
import { createGrpcDoor } from '../../runtime/doors/grpc/door.js';
import { openGrpc, type Scene } from './grpc-client.js';
import { digits } from './grpc-requests.js';
import { KeptLog, models, StandIn } from './stand-in.js';

let scene: Scene;
before(async () => {
  scene = await openGrpc({ serverVersion: '9.9.9' });
});
after(() => scene.stop());
beforeEach(() => {
  scene.engine.states.clear();
  scene.engine.setReady(true);
});

async function answer(rpc: string, request: Fields = {}): Promise<Fields> {
  const outcome = await scene.client.call(rpc, request);
  assert.equal(outcome.code, status.OK, outcome.details);
  return outcome.answer;
}

test('live, ready, and whether a model is', async () => {
  assert.deepEqual(await answer('ServerLive'), { live: true });
  assert.deepEqual(await answer('ServerReady'), { ready: true });
  scene.engine.isReady = false;
  assert.deepEqual(await answer('ServerReady'), { ready: false });
  assert.deepEqual(await answer('ModelReady', { name: 'digits' }), { ready: true });
  scene.engine.states.set('digits', 'LOADING');
  assert.deepEqual(await answer('ModelReady', { name: 'digits' }), { ready: false });
  assert.deepEqual(await answer('ModelReady', { name: 'nope' }), { ready: false });
  assert.deepEqual(await answer('ModelReady', { name: 'broken' }), { ready: false });
});

test('who asks a model whose first version is on its way hears so at once, by whatever version', async () => {
  scene.engine.coming.add('digits');
  scene.engine.states.set('digits', 'LOADING');
  for (const model_version of ['', '1']) {
    const { code, details } = await scene.client.call('ModelInfer', { ...digits, model_version });
    assert.equal(code, status.UNAVAILABLE);
    assert.match(details, /model "digits" version 1 is LOADING: no worker has it/);
  }
  scene.engine.coming.clear();
});

test('the server says who it is and only what works', async () => {
  const { name, version, extensions } = await answer('ServerMetadata');
  assert.deepEqual([name, version], ['signalbox', '9.9.9']);
  assert.ok((extensions as string[]).includes('statistics'));
  assert.ok(!(extensions as string[]).some((extension) => extension.includes('shared_memory')));
});

test('metadata of a model has all its versions and shapes with rows as -1', async () => {
  assert.deepEqual(await answer('ModelMetadata', { name: 'digits' }), {
    name: 'digits',
    versions: ['1'],
    platform: 'echo',
    inputs: [{ name: 'image', datatype: 'FP32', shape: ['-1', '64'] }],
    outputs: [{ name: 'scores', datatype: 'FP32', shape: ['-1', '64'] }],
  });
  assert.deepEqual((await answer('ModelMetadata', { name: 'twice', version: '1' }))['versions'], ['1', '2']);
});

test('the configuration has dims without rows where the model batches', async () => {
  const config = (await answer('ModelConfig', { name: 'digits' }))['config'] as Fields;
  assert.equal(config['name'], 'digits');
  assert.equal(config['backend'], 'echo');
  assert.equal(config['max_batch_size'], 32);
  const [input] = config['input'] as Fields[];
  assert.deepEqual([input?.['data_type'], input?.['dims']], ['TYPE_FP32', ['64']]);
  assert.equal(config['scheduling_choice'], 'dynamic_batching');
  assert.equal((config['instance_group'] as Fields[]).length, 1);
  assert.equal((config['model_transaction_policy'] as Fields)['decoupled'], false);
  assert.ok(config['version_policy'] !== null);
  const batching = config['dynamic_batching'] as Fields;
  assert.deepEqual(batching['preferred_batch_size'], [8, 16]);
  assert.equal(batching['max_queue_delay_microseconds'], '2500');
  assert.equal((batching['default_queue_policy'] as Fields)['max_queue_size'], 90);
  const { batching_policy: policy, batching_why: why } = config['parameters'] as Record<string, Fields>;
  assert.deepEqual(policy, { string_value: 'deferred' });
  assert.deepEqual(why, { string_value: 'two workers and a large fixed cost' });
  const plain = (await answer('ModelConfig', { name: 'echo_BYTES' }))['config'] as Fields;
  const usual = plain['dynamic_batching'] as Fields;
  assert.deepEqual([usual['max_queue_delay_microseconds'], usual['default_queue_policy']], ['0', null]);
  assert.equal((plain['input'] as Fields[])[0]?.['data_type'], 'TYPE_STRING');
  const single = (await answer('ModelConfig', { name: 'twice' }))['config'] as Fields;
  assert.deepEqual([single['max_batch_size'], (single['input'] as Fields[])[0]?.['dims']], [0, ['2']]);
});

test('statistics are in nanoseconds, for one model or all', async () => {
  const [one = {}] = (await answer('ModelStatistics', { name: 'digits' }))['model_stats'] as Fields[];
  assert.deepEqual([one['name'], one['version'], one['inference_count']], ['digits', '1', '7']);
  const sums = one['inference_stats'] as Fields;
  for (const part of ['success', 'queue', 'compute_input', 'compute_infer', 'compute_output']) {
    assert.deepEqual(sums[part], { count: '3', ns: '1500000' }, part);
  }
  assert.equal((one['batch_stats'] as Fields[])[0]?.['batch_size'], '4');
  const byCode = one['response_stats'] as Record<string, Fields>;
  assert.deepEqual(byCode['DEADLINE_PAST']?.['fail'], { count: '2', ns: '0' });
  assert.deepEqual(byCode['CANCELLED']?.['cancel'], { count: '1', ns: '0' });
  const twice = (await answer('ModelStatistics', { name: 'twice' }))['model_stats'] as Fields[];
  assert.deepEqual(
    twice.map((entry) => entry['version']),
    ['1', '2'],
  );
  const all = (await answer('ModelStatistics'))['model_stats'] as Fields[];
  assert.equal(all.length, models.length);
});

test('the repository index has every model with its state and why', async () => {
  scene.engine.states.set('digits', 'LOADING');
  const index = (await answer('RepositoryIndex'))['models'] as Fields[];
  const of = (name: string) => index.find((entry) => entry['name'] === name);
  assert.deepEqual(of('digits'), {
    name: 'digits',
    version: '1',
    state: 'LOADING',
    reason: 'no worker has it',
  });
  assert.deepEqual(of('broken'), {
    name: 'broken',
    version: '1',
    state: 'UNAVAILABLE',
    reason: 'model.onnx is no ONNX file',
  });
  const ready = (await answer('RepositoryIndex', { ready: true }))['models'] as Fields[];
  assert.equal(ready.length, index.length - 2);
});

test('models are loaded and unloaded by name, and a wrong one is the fault of whoever names it', async () => {
  scene.engine.acts.length = 0;
  for (const [rpc, act] of [
    ['RepositoryModelLoad', 'load'],
    ['RepositoryModelUnload', 'unload'],
  ] as const) {
    assert.deepEqual(await answer(rpc, { model_name: 'digits' }), {});
    assert.equal(scene.engine.acts.at(-1), `${act} digits`);
    const unknown = await scene.client.call(rpc, { model_name: 'nope' });
    assert.equal(unknown.code, status.NOT_FOUND);
    assert.match(unknown.details, /no model nope/);
    const nameless = await scene.client.call(rpc, {});
    assert.equal(nameless.code, status.INVALID_ARGUMENT);
    assert.match(nameless.details, /is missing: its name/);
    const parameters = { config: { string_param: '{}' } };
    const strange = await scene.client.call(rpc, { model_name: 'digits', parameters });
    assert.equal(strange.code, status.UNIMPLEMENTED);
    assert.match(strange.details, /does not have the parameter "config"/);
  }
  assert.equal(scene.engine.acts.length, 2);
});

test('unknown models and what is not there are said so, and status calls answer empty', async () => {
  for (const rpc of ['ModelMetadata', 'ModelConfig', 'ModelStatistics']) {
    const outcome = await scene.client.call(rpc, { name: 'nope' });
    assert.equal(outcome.code, status.NOT_FOUND, rpc);
    assert.match(outcome.details, /no model "nope"/);
  }
  for (const rpc of [
    'SystemSharedMemoryRegister',
    'SystemSharedMemoryUnregister',
    'CudaSharedMemoryRegister',
    'CudaSharedMemoryUnregister',
    'TraceSetting',
    'LogSettings',
  ]) {
    const outcome = await scene.client.call(rpc, {});
    assert.equal(outcome.code, status.UNIMPLEMENTED, rpc);
    assert.match(outcome.details, /^UNSUPPORTED: this server does not have .{10}/);
  }
  assert.deepEqual(await answer('SystemSharedMemoryStatus'), { regions: {} });
  assert.deepEqual(await answer('CudaSharedMemoryStatus'), { regions: {} });
  const rubbish = await scene.client.raw('ModelConfig', Buffer.from([0x0a, 0x50, 1]));
  assert.equal(rubbish.code, status.INVALID_ARGUMENT);
});

interface HealthClient {
  check(request: Fields, callback: (fault: { code: status } | null, answer?: Fields) => void): void;
  watch(request: Fields): NodeJS.EventEmitter & { cancel(): void };
  close(): void;
}

function healthClient(): HealthClient {
  const loaded = loadPackageDefinition(loadSync(protoPath, { keepCase: true, enums: String })) as unknown as {
    grpc: { health: { v1: { Health: ServiceClientConstructor } } };
  };
  const address = `127.0.0.1:${scene.port}`;
  return new loaded.grpc.health.v1.Health(address, credentials.createInsecure()) as unknown as HealthClient;
}

function check(client: HealthClient, service: string): Promise<unknown> {
  return new Promise((resolve) => {
    client.check({ service }, (fault, told) => resolve(fault === null ? told?.['status'] : fault.code));
  });
}

test('health by name tells the truth for that name', async () => {
  const client = healthClient();
  scene.engine.states.set('digits', 'UNAVAILABLE');
  scene.engine.changed();
  assert.equal(await check(client, ''), 'SERVING');
  assert.equal(await check(client, 'inference.GRPCInferenceService'), 'SERVING');
  assert.equal(await check(client, 'twice'), 'SERVING');
  assert.equal(await check(client, 'digits'), 'NOT_SERVING');
  assert.equal(await check(client, 'broken'), 'NOT_SERVING');
  assert.equal(await check(client, 'nope'), status.NOT_FOUND);
  scene.engine.setReady(false);
  assert.equal(await check(client, ''), 'NOT_SERVING');
  client.close();
});

test('whoever watches hears each change', async () => {
  const client = healthClient();
  const watch = client.watch({ service: 'digits' });
  watch.on('error', () => {});
  const next = () => new Promise((resolve) => watch.once('data', (told: Fields) => resolve(told['status'])));
  scene.engine.changed();
  assert.equal(await next(), 'SERVING');
  for (const [state, told] of [
    ['LOADING', 'NOT_SERVING'],
    ['READY', 'SERVING'],
  ] as const) {
    const heard = next();
    scene.engine.states.set('digits', state);
    scene.engine.changed();
    assert.equal(await heard, told);
  }
  watch.cancel();
  client.close();
});

test('reflection lists the services and knows their messages', async () => {
  const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  const same = (bytes: Buffer) => bytes;
  const stream = scene.client.native.makeBidiStreamRequest(path, same, same, new Metadata());
  const next = () => new Promise<Buffer>((resolve) => stream.once('data', resolve));
  const field = (number: number, text: string) =>
    Buffer.concat([Buffer.from([(number << 3) | 2, text.length]), Buffer.from(text)]);
  let heard = next();
  stream.write(field(7, '*'));
  const listed = (await heard).toString('latin1');
  assert.match(listed, /inference\.GRPCInferenceService/);
  assert.match(listed, /inference\.ModelService/);
  assert.match(listed, /grpc\.health\.v1\.Health/);
  heard = next();
  stream.write(field(4, 'inference.ModelInferRequest'));
  assert.match((await heard).toString('latin1'), /raw_input_contents/);
  stream.on('error', () => {});
  stream.cancel();
});

test('a port in use is said in a sentence with the flag', async () => {
  const door = createGrpcDoor(new StandIn(), { ...doorDefaults, port: scene.port }, new KeptLog());
  await assert.rejects(door.start(), {
    message: `port ${scene.port} on 127.0.0.1 is in use by another program; choose another with --grpc-port`,
  });
});

test('a stop lets what runs finish and then ends, also with a stream held open', async () => {
  const other = await openGrpc();
  other.engine.holding = true;
  const stream = other.client.stream('ModelStreamInfer');
  stream.on('error', () => {});
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [2] }];
  const asked = other.client.call('ModelInfer', {
    model_name: 'twice',
    inputs,
    raw_input_contents: [Buffer.alloc(8)],
  });
  await other.engine.holds(1);
  const door = other.door.stop(20_000);
  other.engine.held[0]?.finish();
  assert.equal((await asked).code, status.OK);
  await door;
  other.client.close();
});
