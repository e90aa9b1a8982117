// Requests and devices that do harm, on real processes: only the guilty fail, and the workers come back.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { writeOnnx } from '../executor/onnx.js';
import { GrpcClient, rowOf, type Told } from './client.js';
import { apart, type RunningNode, Scratch, startNode, until } from './harness.js';
import { ModelFolder } from './repository.js';

const dies = 666;
const hangs = 667;
const loses = 668;
const spoils = 669;
/** Much longer than any run but the hanging one, on the busiest machine too. */
const runLongestMs = 2000;

/** Looks numbers up; an index that is not there is the model's own error. */
const tableValues = [10, 20, 30, 40];
const table = writeOnnx({
  inputs: [{ name: 'x', datatype: 'INT64', shape: ['rows'] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: ['rows'] }],
  nodes: [{ operator: 'Gather', inputs: ['values', 'x'], outputs: ['y'] }],
  weights: [{ name: 'values', shape: [tableValues.length], values: Float32Array.from(tableValues) }],
});

describe('faults', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    const faultInput = { die: dies, hang: hangs, lost: loses, garbage: spoils };
    const models = new ModelFolder(scratch)
      .simulated('fragile', { alphaMs: 3, faultInput, runLongestMs })
      .simulated('bystander', { alphaMs: 1 })
      .onnx('table', table, ['maxBatch: 8', 'placement: thread']).folder;
    node = await startNode({ ...apart(scratch, models), 'worker-count': 3, 'restarts-max': 100 });
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  /** One bad request among many good ones of the same and of another model. */
  async function amongOthers(bad: number): Promise<Told> {
    const good = (model: string, value: number) =>
      client.infer({ ...rowOf(model, value), deadlineMs: 20_000 });
    const before = Array.from({ length: 12 }, (_, n) => good('fragile', n));
    const guilty = client.infer({ ...rowOf('fragile', bad), deadlineMs: 20_000 });
    const after = Array.from({ length: 12 }, (_, n) => good('fragile', 100 + n));
    const others = Array.from({ length: 12 }, (_, n) => good('bystander', 200 + n));
    for (const told of await Promise.all([...before, ...after, ...others])) {
      assert.equal(told.status, 'OK', `${told.message} after ${told.path}: ${node.tail()}`);
    }
    return guilty;
  }

  function allBack(): Promise<void> {
    return until('all workers are back', async () => node.workers().length === 3 && (await node.isReady()));
  }

  test('a request that kills its worker is JOB_POISONED after two deaths, the others succeed', async () => {
    const before = deaths();
    const told = await amongOthers(dies);
    assert.equal(told.code, 'JOB_POISONED', `${told.status} ${told.message} ${told.path}`);
    assert.equal(told.status, 'INTERNAL');
    assert.equal((told.path.match(/retrying@/g) ?? []).length, 2, told.path);
    await allBack();
    assert.equal(deaths() - before, 2, node.tail());
  });

  test('a request that hangs its worker costs two workers at most and fails by name', async () => {
    const before = deaths();
    const told = await amongOthers(hangs);
    assert.equal(told.code, 'JOB_POISONED', `${told.status} ${told.message} ${told.path}`);
    assert.match(told.path, /hung/);
    await allBack();
    assert.equal(deaths() - before, 2, node.tail());
  });

  test('a device that is lost under one request costs the others nothing, and each loss its process', async () => {
    const before = node.lines.length;
    const told = await amongOthers(loses);
    assert.equal(told.code, 'DEVICE_LOST', `${told.status} ${told.message} ${told.path}`);
    assert.equal(told.status, 'UNAVAILABLE');
    const losses = (told.path.match(/retrying@[^>]* device\)/g) ?? []).length;
    assert.equal(losses, 2, `no third device is risked: ${told.path}`);
    const ends = () => node.lines.slice(before).filter((line) => line.event === 'worker.exited');
    await until('each lost device has ended its worker', () => ends().length >= losses);
    assert.ok(
      ends().every((line) => line.cause === 'stopped'),
      node.tail(),
    );
    await allBack();
  });

  test('an answer of the wrong size is no answer, and the others keep theirs', async () => {
    const told = await amongOthers(spoils);
    assert.equal(told.code, 'RESULT_INVALID', `${told.status} ${told.message} ${told.path}`);
    await allBack();
  });

  test("a model's own error fails the member of the batch that caused it, and no other", async () => {
    const ask = (index: number): Promise<Told> => {
      const data = BigInt64Array.of(BigInt(index));
      return client.infer({ model: 'table', datatype: 'INT64', shape: [1], data, deadlineMs: 20_000 });
    };
    const indices = Array.from({ length: 24 }, (_, n) => (n === 13 ? 99 : n % tableValues.length));
    const answers = await Promise.all(indices.map(ask));
    for (const [at, told] of answers.entries()) {
      if (at === 13) continue;
      assert.equal(told.status, 'OK', `${told.message} after ${told.path}: ${node.tail()}`);
      assert.equal(told.values[0], tableValues[indices[at] as number]);
    }
    const guilty = answers[13];
    assert.equal(guilty?.code, 'MODEL_FAILED', guilty?.message);
    assert.match(guilty?.message ?? '', /indices|index|bounds/i);
  });

  function deaths(): number {
    return node.lines.filter((line) => line.event === 'worker.exited').length;
  }
});
