// A repository that is watched, on real processes: folders that come, change, are corrupt or go are taken up by themselves,
// and nobody who asks without a break gets an error.
import assert from 'node:assert/strict';
import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { modelsText } from '../../runtime/models/command.js';
import { GrpcClient, rowOf } from './client.js';
import { apart, pause, type RunningNode, Scratch, startNode, until } from './harness.js';
import { ModelFolder } from './repository.js';
import { Asking, scaling } from './scaled.js';

const watchIntervalMs = 50;

interface Listed {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly reason: string;
}

describe('a repository that is watched', () => {
  const scratch = new Scratch();
  const models = new ModelFolder(scratch).onnx('scaled', scaling(1), ['maxBatch: 4']);
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    const flags = { 'watch-models': 'true', 'watch-interval-ms': watchIntervalMs };
    node = await startNode({ ...apart(scratch, models.folder), ...flags });
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  async function listed(key: string): Promise<Listed | undefined> {
    const { text } = await modelsText(['list', '--json', '--http-port', String(node.httpPort)], {});
    return (JSON.parse(text) as Listed[]).find(({ name, version }) => `${name}:${version}` === key);
  }

  /** Written piece by piece, as a copy is. */
  async function copy(path: string, content: Uint8Array): Promise<void> {
    const whole = join(models.folder, path);
    const pieces = 6;
    const length = Math.ceil(content.length / pieces);
    models.file(path, '');
    for (let at = 0; at < pieces; at++) {
      await pause(watchIntervalMs / 2);
      appendFileSync(whole, content.subarray(at * length, (at + 1) * length));
    }
  }

  test('changed files and new versions take over, and a copy that is under way is not loaded', async () => {
    const asking = new Asking(client, 8);
    assert.equal(await asking.next(), 1);
    await copy('scaled/2/model.onnx', scaling(2));
    await asking.reaches(2);
    await copy('scaled/2/model.onnx', scaling(3));
    await asking.reaches(3);
    assert.ok(!node.lines.some(({ event }) => event === 'model.unavailable'), 'nothing half was loaded');

    models.file('scaled/2/model.onnx', 'rubbish');
    await until('it is said', async () => /not an ONNX model/.test((await listed('scaled:2'))?.reason ?? ''));
    assert.equal((await listed('scaled:2'))?.state, 'READY');
    assert.equal(await asking.next(), 3, 'as it was loaded before');
    const said = await node.event('folder.unserved');
    assert.match(String(said.reason), /scaled version 2 can't be served: .*not an ONNX model/);

    rmSync(join(models.folder, 'scaled', '2'), { recursive: true });
    await asking.reaches(1);
    assert.equal(await listed('scaled:2'), undefined);
    await asking.stop();
    assert.deepEqual(asking.errors, []);
    assert.ok(asking.answers.length > 200, `${asking.answers.length} answers`);
  });

  test('a new model is served, a corrupt one is UNAVAILABLE until it is mended, and one whose folder goes is gone', async () => {
    models.simulated('fresh').file('broken/1/model.onnx', 'rubbish');
    await until('it serves', async () => (await listed('fresh:1'))?.state === 'READY');
    assert.equal((await client.infer(rowOf('fresh', 3))).status, 'OK');
    await until('the other is listed', async () => (await listed('broken:1')) !== undefined);
    const broken = await listed('broken:1');
    assert.equal(broken?.state, 'UNAVAILABLE');
    assert.match(broken?.reason ?? '', /broken.1.model\.onnx: it is not an ONNX model/);
    models.file('broken/1/model.onnx', scaling(7));
    await until('it is mended', async () => (await listed('broken:1'))?.state === 'READY');
    rmSync(join(models.folder, 'fresh'), { recursive: true });
    await until('it is gone', async () => (await listed('fresh:1')) === undefined);
    const refused = await client.infer(rowOf('fresh', 3));
    assert.equal(refused.status, 'NOT_FOUND');
    assert.ok(await node.isReady());
  });

  test('what was unloaded on request stays so, whatever its folder does', async () => {
    models.simulated('other');
    await until('it serves', async () => (await listed('other:1'))?.state === 'READY');
    await modelsText(['unload', 'other', '--http-port', String(node.httpPort)], {});
    models.simulated('other', { alphaMs: 3 });
    await node.line(
      ({ event, model, is }) => event === 'folder.changed' && model === 'other' && is === 'changed',
      'the change is seen',
    );
    assert.match((await client.infer(rowOf('other', 1))).message, /unloaded on request/);
  });
});
