// Models that change while they are asked, on real processes: a new version, changed files, corrupt ones, unloading. Nobody
// who asks without a break gets an error, and everybody who asks after a change gets the new.
import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { modelsText } from '../../runtime/models/command.js';
import { GrpcClient, rowOf } from './client.js';
import { apart, type RunningNode, Scratch, startNode, until } from './harness.js';
import { ModelFolder } from './repository.js';
import { Asking, scaling } from './scaled.js';

describe('models change while they are asked', () => {
  const scratch = new Scratch();
  const models = new ModelFolder(scratch)
    .onnx('scaled', scaling(1), ['maxBatch: 4'])
    .simulated('other', { alphaMs: 20 });
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

  function put(version: number, content: string | Uint8Array): void {
    models.file(`scaled/${version}/.part`, '');
    const folder = join(models.folder, 'scaled', String(version));
    writeFileSync(join(folder, '.part'), content);
    renameSync(join(folder, '.part'), join(folder, 'model.onnx'));
  }

  async function command(...words: string[]): Promise<string> {
    const { text } = await modelsText([...words, '--http-port', String(node.httpPort)], {});
    // The second worker may be a moment behind the first.
    return text.replace(/ in \d workers?/g, '');
  }

  async function index(): Promise<Record<string, { state: string; reason: string }>> {
    const listed = JSON.parse(await command('list', '--json')) as {
      name: string;
      version: string;
      state: string;
      reason: string;
    }[];
    return Object.fromEntries(listed.map(({ name, version, ...rest }) => [`${name}:${version}`, rest]));
  }

  test('a new version, changed files and corrupt ones: nobody gets an error', async () => {
    const asking = new Asking(client, 8);
    assert.equal(await asking.next(), 1);

    put(2, scaling(2));
    assert.equal(await command('load', 'scaled'), 'scaled:1  READY on cpu\nscaled:2  READY on cpu');
    assert.equal(await asking.next(), 2, 'the new version answers who names none');
    const first = await client.infer({ ...rowOf('scaled', 5), version: '1' });
    assert.deepEqual([first.status, first.values[0]], ['OK', 5], 'the old one still answers who names it');

    put(2, scaling(3));
    await command('load', 'scaled');
    assert.equal(await asking.next(), 3, 'changed files of the same version');

    put(3, 'rubbish');
    await assert.rejects(
      command('load', 'scaled'),
      /scaled version 3 can't be served: .*3.model\.onnx: it is not an ONNX model/,
    );
    assert.equal(await asking.next(), 3);
    assert.equal((await index())['scaled:3']?.state, 'UNAVAILABLE');

    put(2, scaling(4, 'Nonsense'));
    await assert.rejects(command('load', 'scaled'), /scaled version 2 can't be served: .*Nonsense/);
    assert.equal(await asking.next(), 3, 'what no worker can load takes nothing over');
    const second = (await index())['scaled:2'];
    assert.equal(second?.state, 'READY');
    assert.match(second?.reason ?? '', /it serves as it was loaded before.*Nonsense/);

    put(3, scaling(5));
    models.config('scaled', ['maxBatch: 2', 'versions: { latest: 1 }']);
    put(2, scaling(6));
    await command('load', 'scaled');
    assert.equal(await asking.next(), 5);
    assert.match((await index())['scaled:2']?.reason ?? '', /^not served: versions .* is latest: 1/);

    await asking.stop();
    assert.deepEqual(asking.errors, []);
    assert.ok(asking.answers.length > 200, `${asking.answers.length} answers`);
  });

  test('what was replaced is unloaded by every worker, and one that comes anew has the latest', async () => {
    const gone = (): number =>
      node.lines.filter(({ event, model }) => event === 'share.unloaded' && model === 'scaled').length;
    await until('versions 1, 2 and 2 again are unloaded by both workers', () => gone() >= 6);
    const before = node.workers();
    const known = new Set(before.map(({ member }) => member));
    for (const [at, { pid }] of before.entries()) {
      process.kill(pid, 'SIGKILL');
      const serves = (member: string): boolean =>
        node.lines.some(
          ({ event, to, process: who }) => event === 'worker.moved' && to === 'serving' && who === member,
        );
      const fresh = () => node.workers().filter(({ member }) => !known.has(member) && serves(member));
      await until('another one serves', () => fresh().length === at + 1);
    }
    const told = await Promise.all(
      Array.from({ length: 20 }, (_, at) => client.infer(rowOf('scaled', at + 1))),
    );
    assert.deepEqual(new Set(told.map(({ status }) => status)), new Set(['OK']));
    assert.deepEqual(new Set(told.map(({ values }, at) => (values[0] as number) / (at + 1))), new Set([5]));
  });

  test('unloading lets what was taken run, refuses the rest, and loading brings it back', async () => {
    const asked = Array.from({ length: 40 }, (_, at) => client.infer(rowOf('other', at + 1)));
    await asked[0];
    assert.equal(await command('unload', 'other'), 'other is unloaded');
    for (const { status, message } of await Promise.all(asked)) assert.equal(status, 'OK', message);
    const refused = await client.infer(rowOf('other', 1));
    assert.equal(refused.status, 'NOT_FOUND');
    assert.match(refused.message, /unloaded on request/);
    await until('it is gone', async () => (await index())['other:1']?.state === 'UNAVAILABLE');
    assert.ok(await node.isReady(), 'the others serve');
    assert.equal(await command('load', 'other'), 'other:1  READY on cpu');
    assert.equal((await client.infer(rowOf('other', 7))).status, 'OK');
  });

  test('a model that is not there is the fault of whoever names it', async () => {
    await assert.rejects(
      command('load', 'scald'),
      /there is no model "scald" in the repository; did you mean "scaled"\?/,
    );
    await assert.rejects(command('unload', 'nobody'), /there is no model "nobody"/);
    const answer = await fetch(`http://127.0.0.1:${node.httpPort}/v2/repository/models/nobody/load`, {
      method: 'POST',
    });
    assert.deepEqual(
      [answer.status, ((await answer.json()) as { error: string }).error.slice(0, 24)],
      [404, 'there is no model "nobod'],
    );
  });
});
