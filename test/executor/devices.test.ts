// Devices: which is chosen, what becomes of a model whose device fails, and that both are said.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadConfig } from '../../runtime/config/load.js';
import { loadOnBest } from '../../runtime/executor/choosing.js';
import { type Device, devicePattern, readDevice } from '../../runtime/executor/device.js';
import { Devices, type Probed } from '../../runtime/executor/devices.js';
import type { Loaded } from '../../runtime/executor/executor.js';
import { createExecutor } from '../../runtime/executor/factory.js';
import { elsewhere } from '../../runtime/executor/operators.js';
import { readModelConfig } from '../../runtime/models/config.js';
import { workerOrder } from '../../runtime/node/wiring.js';
import { entryOf } from './models.js';
import { onnxIdentity } from './onnx.js';

const quick: Probed = { ok: true, ms: 1, cpuMs: 4 };
const slow: Probed = { ok: true, ms: 90, cpuMs: 4 };
const missing: Probed = { ok: false, reason: 'libsomething.so is missing' };

/** Devices that fare as said; others are missing. */
function devicesWith(probed: Partial<Record<Device, Probed>>) {
  const asked: Device[] = [];
  const devices = new Devices(async (device) => {
    asked.push(device);
    return probed[device] ?? missing;
  });
  return { devices, asked };
}

function ready(runsOn: Device): Loaded {
  return { ok: true, place: 'thread', rowsMax: 1, runMs: 1, costs: [], golden: 'none', runsOn };
}

type Config = Parameters<typeof entryOf>[0]['config'];

/** What becomes of a model, and on which devices it was loaded. `refused` take no model. */
async function choice(
  config: Config,
  devices: Devices,
  { refused = [], usual = 'auto' }: { refused?: readonly Device[]; usual?: string } = {},
) {
  const tried: Device[] = [];
  const loaded = await loadOnBest(
    entryOf({ config: { backend: 'onnxruntime', ...config } }),
    { device: readDevice(usual), fallback: 'none' },
    devices,
    async (device) => {
      tried.push(device);
      return refused.includes(device)
        ? { ok: false, reason: `no kernel for it on ${device}` }
        : ready(device);
    },
  );
  return { tried, says: loaded.ok ? loaded.runsOn : loaded.reason };
}

describe('auto', () => {
  test('takes the best that is there and takes the model', async () => {
    const all = devicesWith({ 'tensorrt:0': quick, 'cuda:0': quick, webgpu: quick });
    assert.deepEqual(await choice({}, all.devices), { tried: ['tensorrt:0'], says: 'tensorrt:0' });
    const refused = ['tensorrt:0', 'cuda:0'] as const;
    const next = await choice({}, all.devices, { refused });
    assert.deepEqual(next, { tried: ['tensorrt:0', 'cuda:0', 'webgpu'], says: 'webgpu' });
    assert.deepEqual(all.asked, ['tensorrt:0', 'cuda:0', 'webgpu'], 'each is tried once in a process');
    assert.equal((await choice({}, devicesWith({ webgpu: quick }).devices)).says, 'webgpu');
    assert.equal((await choice({}, devicesWith({}).devices)).says, 'cpu');
  });

  test('leaves alone what is slower than the CPU, which whoever names it gets', async () => {
    const { devices } = devicesWith({ webgpu: slow });
    assert.equal((await choice({}, devices)).says, 'cpu');
    assert.equal((await choice({ device: 'webgpu' }, devices)).says, 'webgpu');
    const best = await devices.best('auto');
    assert.equal(best.device, 'cpu');
    assert.match(best.passed, /webgpu: it takes 90.0 ms for what the CPU does in 4.0 ms/);
  });

  test("says the model's own fault, when the CPU can't have it either", async () => {
    const { says } = await choice({}, devicesWith({}).devices, { refused: ['cpu'] });
    assert.equal(says, 'no kernel for it on cpu');
  });
});

describe('a device that fails', () => {
  test('is the reason why the model is not served, with what can be done', async () => {
    const { devices } = devicesWith({ webgpu: quick });
    const absent = await choice({ device: 'cuda:1' }, devices);
    assert.deepEqual(absent.tried, []);
    assert.match(
      absent.says,
      /can't have its device cuda:1: libsomething.so is missing. Mend .* fallback: cpu/,
    );
    const refused = await choice({}, devices, { usual: 'webgpu', refused: ['webgpu'] });
    assert.match(refused.says, /can't have its device webgpu: no kernel for it on webgpu. Mend/);
  });

  test('gives way to the CPU where that is allowed, and is named all the same', async () => {
    const { tried, says } = await choice({ device: 'cuda', fallback: 'cpu' }, devicesWith({}).devices);
    assert.deepEqual(tried, ['cpu']);
    assert.equal(says, 'cpu (fallback from cuda:0: libsomething.so is missing)');
  });

  test('and answers wrong is not left for another: it is sick', async () => {
    const sick: Loaded = { ok: false, reason: 'its golden input: output y is 1', suspect: true };
    const usual = { device: 'webgpu', fallback: 'cpu' } as const;
    const { devices } = devicesWith({ webgpu: quick });
    const entry = entryOf({ config: { backend: 'onnxruntime' } });
    assert.equal(await loadOnBest(entry, usual, devices, async () => sick), sick);
  });

  test('matters to ONNX Runtime only', async () => {
    const { devices, asked } = devicesWith({});
    assert.equal((await choice({ backend: 'simulated' }, devices, { usual: 'webgpu' })).says, 'cpu');
    const own = await choice({ backend: './mine.js' }, devices, { usual: 'cuda:1' });
    assert.deepEqual(own, { tried: ['cuda:1'], says: 'its own backend' });
    assert.deepEqual(asked, []);
  });
});

test('a device on which a model takes too long to load takes its process along', async () => {
  const { devices } = devicesWith({ webgpu: quick });
  const broken = new Promise<readonly unknown[]>((resolve) => {
    const executor = createExecutor({ device: 'webgpu', devices, broken: (...told) => resolve(told) });
    // It has to start a thread first.
    const entry = entryOf({ onnx: onnxIdentity('FP32', 4), config: { loadLongestMs: 1 } });
    void executor.load(entry).then(() => executor.close());
  });
  assert.deepEqual(await broken, ['model:1 did not load on webgpu within 1 ms (loadLongestMs)', 'model:1']);
});

describe('a real trial', () => {
  for (const device of ['cuda:0', 'tensorrt:0'] as const) {
    test(`of ${device} says what is missing and how to get it`, async (t) => {
      const executor = createExecutor({ device });
      const loaded = await executor.load(entryOf({ onnx: onnxIdentity('FP32', 4) }));
      await executor.close();
      if (loaded.ok) return t.skip(`${device} is there`);
      assert.match(
        loaded.reason,
        new RegExp(`device ${device}: .*can't be loaded; ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild`),
      );
    });
  }
});

describe('the record of a run', () => {
  test('tells which operators run elsewhere, and is an error where all do', () => {
    const on = (...where: string[]) => where.map((place, at) => [`Op${at}`, place] as const);
    assert.equal(elsewhere('webgpu', on('webgpu', 'webgpu')), '');
    assert.equal(elsewhere('webgpu', []), '');
    assert.equal(elsewhere('webgpu', on('webgpu', 'cpu', 'cpu')), '2 of 3 operators on cpu: Op1, Op2');
    assert.equal(
      elsewhere('tensorrt', on('tensorrt', 'cuda')),
      '',
      'TensorRT leaves the rest to CUDA, on the same card',
    );
    assert.match(elsewhere('cuda', on('cuda', ...Array(9).fill('cpu'))), /^9 of 10 .*Op1, Op2, Op3, Op4, …$/);
    assert.throws(
      () => elsewhere('cuda', on('cpu')),
      /cuda has none of its operators \(1 of 1 operators on cpu: Op0\)/,
    );
  });
});

describe('the key device', () => {
  test('takes the devices that there are', () => {
    for (const device of ['cpu', 'webgpu', 'cuda', 'cuda:0', 'tensorrt:63', 'auto'])
      assert.ok(devicePattern.test(device), device);
    for (const device of ['gpu', 'cuda:64', 'cuda:', 'cpu:1', 'cuda:-1', 'CPU', 'webgpu:0', ''])
      assert.ok(!devicePattern.test(device), device);
    const config = readModelConfig('device: gpu');
    assert.ok(typeof config === 'string');
    assert.match(config, /device .*cpu, webgpu, cuda:N, tensorrt:N .* auto/);
    const echo = readModelConfig('{ backend: echo, device: webgpu, inputs: [], outputs: [] }');
    assert.match(String(echo), /device is webgpu, but backend is echo, which runs on the CPU only/);
    const inline = readModelConfig('{ device: webgpu, placement: inline }');
    assert.match(String(inline), /placement is inline, but device is webgpu, .* leave placement out/);
    assert.match(String(readModelConfig('fallback: gpu')), /fallback .*none.*cpu/);
  });
});

test('the devices of a node are dealt to its workers in turn', () => {
  const { config } = loadConfig(['--device', 'webgpu,cuda,tensorrt:1', '--fallback', 'cpu'], {});
  const who = { member: 'worker-1.aaaaaa', name: 'worker-1', host: 'node.aaaaaa', join: [] };
  const orders = [0, 1, 2, 3].map((slot) => workerOrder(config, slot, who));
  assert.deepEqual(
    orders.map(({ device }) => device),
    ['webgpu', 'cuda:0', 'tensorrt:1', 'webgpu'],
  );
  assert.equal(orders[0]?.fallback, 'cpu');
  assert.equal(loadConfig([], {}).config.device, 'cpu');
  assert.throws(
    () => loadConfig(['--device', 'cpu,gpu'], {}),
    /--device is "cpu,gpu"; allowed is cpu, webgpu, cuda:N/,
  );
});
