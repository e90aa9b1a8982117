// A sick device on real processes: nobody gets what it computes, its requests are run elsewhere, and it comes back only
// once its golden inputs pass. A model that is itself to blame ends no worker.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { GrpcClient, http, rowOf, type Told } from './client.js';
import { apart, type RunningNode, Scratch, startNode, until } from './harness.js';
import { Load } from './load.js';
import { ModelFolder } from './repository.js';

const sickens = 670;
const isNone = 671;
const isShort = 672;
const drifts = 673;

describe('a sick device', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    const models = new ModelFolder(scratch)
      .simulated('watched', { alphaMs: 3, faultInput: { sick: sickens, nan: isNone, garbage: isShort } }, [
        'finite: true',
      ])
      .simulated('bystander', { alphaMs: 1 }).folder;
    const flags = { ...apart(scratch, models), 'worker-count': 2, 'cache-folder': scratch.path('cache') };
    node = await startNode(flags);
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  function ask(model: string, value: number): Promise<Told> {
    return client.infer({ ...rowOf(model, value), deadlineMs: 20_000 });
  }

  function seen(event: string): number {
    return node.lines.filter((line) => line.event === event).length;
  }

  /** Every request of every wave is answered, with its own numbers. */
  async function waves(count: number): Promise<Told[]> {
    const all: Told[] = [];
    for (let wave = 0; wave < count; wave++) {
      const values = Array.from({ length: 8 }, (_, at) => 10 * wave + at);
      const answers = await Promise.all(values.map((value) => ask('watched', value)));
      for (const [at, told] of answers.entries()) {
        assert.equal(told.status, 'OK', `${told.message} after ${told.path}: ${node.tail()}`);
        assert.equal(told.values[0], values[at], told.path);
      }
      all.push(...answers);
    }
    return all;
  }

  test('is out within one batch, and back once a fresh process has passed', async () => {
    const workers = new Set(node.workers().map(({ pid }) => pid));
    assert.equal((await ask('watched', sickens)).status, 'OK', 'the last that is right');
    const told: Told[] = [];
    // Who is asked, the scheduler decides.
    for (let turn = 0; turn < 60 && seen('worker.quarantined') === 0; turn++) told.push(...(await waves(1)));
    const garbled = told.filter(({ path }) => path.includes('garbled'));
    assert.ok(garbled.length > 0, `the sick one was asked: ${node.tail()}`);
    const batches = new Set(garbled.map(({ path }) => /retrying@\S* \((\S+) garbled/.exec(path)?.[1]));
    assert.equal(batches.size, 1, `all by one worker: ${garbled.map(({ path }) => path).join('; ')}`);
    assert.ok(garbled.length <= 4, 'of one batch');
    await until('it was replaced', () => seen('worker.quarantined') === 1 && seen('worker.exited') === 1);
    const [exit] = node.lines.filter((line) => line.event === 'worker.exited');
    assert.equal(exit?.cause, 'stopped');
    assert.match(
      String(exit?.detail),
      /^watched:1: its golden input ended as RESULT_INVALID: output y is NaN/,
    );
    await until('both are back', async () => node.workers().length === 2 && (await node.isReady()));
    assert.equal(node.workers().filter(({ pid }) => workers.has(pid)).length, 1);
    await waves(3);
    assert.equal(seen('worker.quarantined'), 1);
  });

  for (const [what, input, says] of [
    [
      'numbers that are none',
      isNone,
      /2 runs gave an invalid answer \(output y is NaN .*the fault of the model/,
    ],
    ['the wrong size', isShort, /2 runs gave an invalid answer \(output y .*has 8 bytes, wanted are 16/],
  ] as const)
    test(`is not what a model is that gives ${what} on some input: two runs, no worker ended, the others answered`, async () => {
      const before = seen('worker.exited');
      const others = Array.from({ length: 12 }, (_, at) => ask('bystander', at));
      const [guilty, same] = await Promise.all([ask('watched', input), waves(4)]);
      assert.equal(guilty.code, 'RESULT_INVALID', `${guilty.message} after ${guilty.path}`);
      assert.match(guilty.message, says);
      assert.equal(same.length, 32);
      for (const told of await Promise.all(others)) assert.equal(told.status, 'OK', told.message);
      const many = await Promise.all(Array.from({ length: 30 }, () => ask('watched', input)));
      assert.ok(many.every(({ status }) => status !== 'OK'));
      await waves(2);
      assert.ok(seen('worker.acquitted') >= 1, node.tail());
      assert.equal(seen('worker.exited'), before, node.tail());
    });
});

describe('a device that answers with wrong numbers', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    const models = new ModelFolder(scratch).simulated('watched', {
      alphaMs: 15,
      rowsMax: 1,
      faultInput: { drift: drifts },
    }).folder;
    const flags = { ...apart(scratch, models), 'cache-folder': scratch.path('cache'), 'probe-every-ms': 250 };
    node = await startNode(flags);
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  const isQuarantined = (): boolean => node.lines.some(({ event }) => event === 'worker.quarantined');

  test('is found by the next golden input under load, is out with that, and back once it passes', async () => {
    const answers: { readonly told: Told; readonly isRight: boolean; readonly isLate: boolean }[] = [];
    let isOver = false;
    async function asking(first: number): Promise<void> {
      for (let value = first; !isOver; value += 100) {
        const isLate = isQuarantined();
        const told = await client.infer({ ...rowOf('watched', value), deadlineMs: 20_000 });
        answers.push({ told, isRight: told.values[0] === value, isLate });
      }
    }
    const loops = Array.from({ length: 12 }, (_, at) => asking(1000 + at));
    await until('load is under way', () => answers.length > 30);
    assert.ok(answers.every(({ isRight }) => isRight));
    assert.equal((await client.infer({ ...rowOf('watched', drifts), deadlineMs: 20_000 })).status, 'OK');
    await until('it is found', isQuarantined);
    await until('both are back', async () => node.workers().length === 2 && (await node.isReady()));
    const before = answers.length;
    await until('load goes on', () => answers.length > before + 60);
    isOver = true;
    await Promise.all(loops);
    for (const { told } of answers) assert.equal(told.status, 'OK', `${told.message}: ${node.tail()}`);
    assert.ok(
      answers.some(({ isRight }) => !isRight),
      'nobody could know before the golden input was run',
    );
    const wrong = answers.filter(({ isRight, isLate }) => !isRight && isLate);
    assert.deepEqual(
      wrong.map(({ told }) => told.path),
      [],
      'nobody who asked after it was found',
    );
    const found = node.lines.find(({ event }) => event === 'worker.quarantined');
    assert.match(String(found?.reason), /^watched:1: output y is .*, wanted is .* within 0.01/);
  });
});

describe('a fresh worker whose golden input does not pass', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    const models = new ModelFolder(scratch).simulated('watched', { alphaMs: 2 }).folder;
    node = await startNode({ ...apart(scratch, models), 'cache-folder': scratch.path('cache') });
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  const count = (event: string): number => node.lines.filter((line) => line.event === event).length;
  const inReady = async (): Promise<string> => {
    const { body } = await http(node.httpPort, '/v2/repository/index', {});
    return (body as readonly { runs_on?: string }[])[0]?.runs_on ?? '';
  };

  test('answers nobody, is replaced, and the next one too, until one passes', async () => {
    await until('both have it', async () => (await inReady()) === 'cpu in 2 workers');
    const folder = scratch.path('cache/golden');
    const [name = ''] = readdirSync(folder);
    const file = join(folder, name);
    const right = readFileSync(file, 'utf8');
    const record = JSON.parse(right) as { outputs: { values: string }[] };
    const other = Buffer.from(new Float64Array(4).fill(5).buffer).toString('base64');
    for (const output of record.outputs) output.values = other;
    writeFileSync(file, JSON.stringify(record));
    const load = new Load(client, { model: 'watched', unary: 4 }).start();
    process.kill(node.workers()[0]?.pid ?? 0, 'SIGKILL');
    await until('the second one is out as well', () => count('worker.quarantined') >= 2, 40_000);
    assert.equal(await inReady(), 'cpu in 1 worker');
    const failed = node.lines.find(({ event }) => event === 'model.failed');
    assert.match(String(failed?.reason), /its golden input: output y is .*, wanted is 5 within 0.01 of 5/);
    writeFileSync(file, right);
    await until('one passes', async () => (await inReady()) === 'cpu in 2 workers', 40_000);
    const { errors, sent } = await load.stop();
    assert.deepEqual(errors, [], node.tail());
    assert.ok(sent > 100);
  });
});
