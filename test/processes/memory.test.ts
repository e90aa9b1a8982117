// More models than fit in the memory of a worker, on real processes: whichever is asked for is loaded in the place of the one
// used least recently, nobody gets an error, and the workers stay within their bound.
import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { modelsText } from '../../runtime/models/command.js';
import { writeOnnx } from '../executor/onnx.js';
import { GrpcClient, rowOf } from './client.js';
import { apart, type RunningNode, Scratch, startNode, until } from './harness.js';
import { memoryMbOf } from './proc.js';
import { ModelFolder } from './repository.js';

const width = 1024;
const layerCount = 3;
/** What the node reckons with for one of them: 12 MB of weights. */
const eachMb = 19;
const count = 8;
const names = Array.from({ length: count }, (_, at) => `big-${at + 1}`);

const eye = Float32Array.from({ length: width * width }, (_, at) => (at % (width + 1) === 0 ? 1 : 0));

/** y = factor·x, of rows of four, by way of far too many weights. */
function heavy(factor: number): Uint8Array {
  const inner = Array.from({ length: layerCount }, (_, at) => `w${at}`);
  const all = ['in', ...inner, 'out'];
  return writeOnnx({
    inputs: [{ name: 'x', datatype: 'FP32', shape: ['rows', 4] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: ['rows', 4] }],
    nodes: all.map((weight, at) => ({
      operator: 'MatMul',
      inputs: [at === 0 ? 'x' : `h${at}`, weight],
      outputs: [at === all.length - 1 ? 'y' : `h${at + 1}`],
    })),
    weights: [
      { name: 'in', shape: [4, width], values: diagonal(4, width, factor) },
      ...inner.map((name) => ({ name, shape: [width, width], values: eye })),
      { name: 'out', shape: [width, 4], values: diagonal(width, 4, 1) },
    ],
  });
}

function diagonal(rows: number, columns: number, value: number): Float32Array {
  const values = new Float32Array(rows * columns);
  for (let at = 0; at < Math.min(rows, columns); at++) values[at * columns + at] = value;
  return values;
}

/** An operator that nobody knows. */
const odd = writeOnnx({
  inputs: [{ name: 'x', datatype: 'FP32', shape: ['rows', 4] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: ['rows', 4] }],
  nodes: [{ operator: 'Nonsense', inputs: ['x'], outputs: ['y'] }],
});

interface Listed {
  readonly name: string;
  readonly state: string;
  readonly reason: string;
  readonly workers: number;
  readonly memory_mb: number;
}

describe('more models than fit', () => {
  const scratch = new Scratch();
  const models = new ModelFolder(scratch);
  for (const [at, name] of names.entries())
    models.onnx(name, heavy(at + 1), ['maxBatch: 4', 'batching: { policy: eager }']);
  models.onnx('asked', heavy(9), ['maxBatch: 4', 'load: demand']);
  models.onnx('odd', odd, ['maxBatch: 4', 'load: demand']);
  models.simulated('huge', {}, ['memoryMb: 500']);
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    const flags = { 'model-memory-mb': 2 * eachMb + 4 };
    node = await startNode({ ...apart(scratch, models.folder), ...flags });
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  async function listed(): Promise<Map<string, Listed>> {
    const { text } = await modelsText(['list', '--json', '--http-port', String(node.httpPort)], {});
    return new Map((JSON.parse(text) as Listed[]).map((model) => [model.name, model]));
  }

  async function loaded(): Promise<number> {
    return [...(await listed()).values()].reduce((sum, { workers = 0 }) => sum + workers, 0);
  }

  async function ask(name: string, value: number): Promise<number> {
    const answer = await client.infer({ ...rowOf(name, value), deadlineMs: 60_000 });
    assert.equal(answer.status, 'OK', `${name}: ${answer.message} after ${answer.path}`);
    return (answer.values[0] as number) / value;
  }

  test('as many are loaded at the start as fit, the others are ready and at rest', async () => {
    await until('each worker has two', async () => (await loaded()) === 4);
    const all = await listed();
    const first = all.get('big-1');
    assert.deepEqual([first?.state, first?.workers, first?.reason], ['READY', 2, '']);
    const last = all.get(`big-${count}`);
    assert.deepEqual([last?.state, last?.workers], ['READY', 0]);
    assert.match(last?.reason ?? '', /loaded when it is asked for/);
    assert.ok(Math.abs((last?.memory_mb ?? 0) - eachMb) < 1, `about ${last?.memory_mb} MB`);
    const huge = all.get('huge');
    assert.equal(huge?.state, 'UNAVAILABLE');
    assert.match(huge?.reason ?? '', /about 500 MB, and models may take 42 MB in a worker \(modelMemoryMb\)/);
    const { text } = await modelsText(['list', '--http-port', String(node.httpPort)], {});
    assert.match(text, /^big-1:1 +READY on cpu in 2 workers, about 19 MB in each$/m);
    assert.match(text, /^asked:1 +READY: no worker has it in memory/m);
  });

  test('whoever asks is answered, one model after the other and at random, and memory is bounded', async () => {
    const pids = node.workers().map(({ pid }) => pid);
    const before = Math.max(...pids.map((pid) => memoryMbOf([pid])));
    let most = 0;
    const look = (): void => {
      most = Math.max(most, ...pids.map((pid) => memoryMbOf([pid])));
    };
    for (const [at, name] of names.entries()) assert.equal(await ask(name, 1), at + 1);
    let answered = 0;
    const clients = Array.from({ length: 8 }, async (_, who) => {
      for (let turn = 0; turn < 5; turn++) {
        const random = (who * 7919 + turn * 104_729 + ((who * turn) % 13)) % count;
        const at = who % 2 === 0 ? (who + turn) % count : random;
        assert.equal(await ask(names[at] as string, turn + 1), at + 1);
        answered++;
        look();
      }
    });
    await Promise.all(clients);
    assert.equal(answered, 40);
    const rested = node.lines.filter(({ event }) => event === 'share.rested').length;
    assert.ok(rested >= count - 4, `${rested} made room`);
    assert.ok((await loaded()) <= 4);
    // Two of 12 MB had been loaded before; a third beside them would be 12 MB more, all of them 72.
    assert.ok(most - before < 30, `${most.toFixed(0)} MB, ${before.toFixed(0)} before`);
  });

  test('who asks first for one that no worker can load hears why, long before its deadline', async () => {
    assert.equal((await listed()).get('odd')?.state, 'READY');
    const answer = await client.infer({ ...rowOf('odd', 1), deadlineMs: 60_000 });
    assert.equal(answer.status, 'UNAVAILABLE', answer.message);
    assert.match(answer.message, /model odd version 1: .*Nonsense/s);
    assert.equal((await listed()).get('odd')?.state, 'UNAVAILABLE');
  });

  test('one that is loaded on demand comes when it is asked for', async () => {
    assert.equal((await listed()).get('asked')?.workers, 0);
    assert.equal(await ask('asked', 5), 9);
    assert.ok(((await listed()).get('asked')?.workers ?? 0) > 0);
  });

  function put(name: string, content: Uint8Array): void {
    const folder = join(models.folder, name, '1');
    writeFileSync(join(folder, '.next'), content);
    renameSync(join(folder, '.next'), join(folder, 'model.onnx'));
  }

  async function rest(name: string): Promise<void> {
    const others = names.filter((other) => other !== name);
    for (let at = 0; (await listed()).get(name)?.workers !== 0; at++)
      await ask(others[at % others.length] as string, 1);
  }

  test('a change is taken up while others are asked for that need the room', async () => {
    let isOver = false;
    const asking = names.slice(1, 6).map(async (name, at) => {
      while (!isOver) assert.equal(await ask(name, 3), at + 2);
    });
    const old = ask('big-1', 2);
    put('big-1', heavy(100));
    const { text } = await modelsText(['load', 'big-1', '--http-port', String(node.httpPort)], {});
    assert.match(text, /^big-1:1 {2}READY/);
    assert.equal(await ask('big-1', 2), 100);
    assert.ok([1, 100].includes(await old), 'who waited for the files that are gone');
    isOver = true;
    await Promise.all(asking);
  });

  test('one whose files have changed while it was at rest is loaded as they are', async () => {
    await rest('big-2');
    put('big-2', heavy(50));
    assert.equal(await ask('big-2', 3), 50);
  });

  test('one whose files are corrupt by then is UNAVAILABLE with the reason, until they are mended', async () => {
    await rest('big-3');
    put('big-3', Buffer.from('rubbish'));
    const first = await client.infer({ ...rowOf('big-3', 1), deadlineMs: 3000 });
    assert.notEqual(first.status, 'OK');
    await until('it is said', async () => (await listed()).get('big-3')?.state === 'UNAVAILABLE');
    assert.match((await listed()).get('big-3')?.reason ?? '', /not an ONNX model/);
    const refused = await client.infer({ ...rowOf('big-3', 1), deadlineMs: 60_000 });
    assert.equal(refused.status, 'UNAVAILABLE');
    put('big-3', heavy(3));
    await modelsText(['load', 'big-3', '--http-port', String(node.httpPort)], {});
    assert.equal(await ask('big-3', 2), 3);
  });
});
