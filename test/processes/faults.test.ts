// Requests and devices that do harm, on real processes: only the guilty fail, and the workers come back.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GrpcClient, rowOf, type Told } from './client.js';
import { apart, type RunningNode, Scratch, startNode, until } from './harness.js';
import { ModelFolder } from './repository.js';

const dies = 666;
const hangs = 667;
const loses = 668;
const spoils = 669;

describe('faults', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    const faultInput = { die: dies, hang: hangs, lost: loses, garbage: spoils };
    const models = new ModelFolder(scratch)
      .simulated('fragile', { alphaMs: 3, faultInput, runLongestMs: 400 })
      .simulated('bystander', { alphaMs: 1 }).folder;
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
    const good = (model: string, value: number) => client.infer({ ...rowOf(model, value), deadlineMs: 20_000 });
    const before = Array.from({ length: 12 }, (_, n) => good('fragile', n));
    const guilty = client.infer({ ...rowOf('fragile', bad), deadlineMs: 20_000 });
    const after = Array.from({ length: 12 }, (_, n) => good('fragile', 100 + n));
    const others = Array.from({ length: 12 }, (_, n) => good('bystander', 200 + n));
    for (const told of await Promise.all([...before, ...after, ...others])) {
      assert.equal(told.status, 'OK', `${told.message} after ${told.path}`);
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

  test('a device that is lost under one request costs the others nothing', async () => {
    const told = await amongOthers(loses);
    assert.equal(told.code, 'DEVICE_LOST', `${told.status} ${told.message} ${told.path}`);
    assert.equal(told.status, 'UNAVAILABLE');
    await allBack();
  });

  test('an answer of the wrong size is no answer, and the others keep theirs', async () => {
    const told = await amongOthers(spoils);
    assert.equal(told.code, 'RESULT_INVALID', `${told.status} ${told.message} ${told.path}`);
    await allBack();
  });

  function deaths(): number {
    return node.lines.filter((line) => line.event === 'worker.exited').length;
  }
});
