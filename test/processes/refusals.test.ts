// What a node says when it can't start, or can't serve a model: a sentence that names the thing, an exit code that tells
// wrong use (2) from bad luck (1), and everything else unharmed.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { GrpcClient, http, rowOf } from './client.js';
import { apart, type NodeOptions, RunningNode, Scratch, startNode } from './harness.js';
import { ModelFolder } from './repository.js';

describe('refusals', () => {
  const scratch = new Scratch();
  const models = new ModelFolder(scratch).simulated('steady').folder;
  after(() => scratch.remove());

  async function refused(options: NodeOptions): Promise<{ code: number | null; said: string }> {
    const node = new RunningNode(options);
    const late = setTimeout(() => node.destroy(), 15_000);
    const { code } = await node.ended;
    clearTimeout(late);
    assert.equal(node.workers().length, 0);
    return { code, said: node.output };
  }

  const wrongUses: readonly [string, NodeOptions, RegExp][] = [
    [
      'an unknown role',
      { flags: { role: 'cook' } },
      /--role is "cook"; allowed is one or more of all, router/,
    ],
    [
      'an unknown flag',
      { flags: { 'worker-cuont': 3 } },
      /--worker-cuont is not known; did you mean --worker-count\?/,
    ],
    ['a bad value', { flags: { 'grpc-port': 'many' } }, /--grpc-port is "many"; allowed is a whole number/],
    ['an unknown variable', { environment: { SIGNALBOX_HTTPPORT: '1' } }, /SIGNALBOX_HTTPPORT is not known/],
    [
      'a bad variable',
      { environment: { SIGNALBOX_BEAT_MS: 'x' } },
      /variable SIGNALBOX_BEAT_MS is "x"; allowed/,
    ],
    [
      'a public address',
      { flags: { host: '0.0.0.0' } },
      /--host 0\.0\.0\.0 is reachable from other machines/,
    ],
    [
      'a file that is not there',
      { flags: { config: scratch.path('none.yaml') } },
      /none\.yaml can't be read/,
    ],
  ];
  for (const [what, options, says] of wrongUses) {
    test(`${what} is wrong use: exit code 2`, async () => {
      const { code, said } = await refused(options);
      assert.match(said, says);
      assert.equal(code, 2, said);
    });
  }

  test('a file with an unknown key or a bad value is named with both: exit code 2', async () => {
    const path = scratch.path('node.yaml');
    writeFileSync(path, 'workerCount: 2\nhttpProt: 80\n');
    const unknown = await refused({ flags: { config: path } });
    assert.match(unknown.said, /node\.yaml: key httpProt is not known; did you mean httpPort\?/);
    assert.equal(unknown.code, 2);
    writeFileSync(path, 'workerCount: several\n');
    const bad = await refused({ flags: { config: path } });
    assert.match(bad.said, /node\.yaml: key workerCount is "several"; allowed is a whole number/);
    assert.equal(bad.code, 2);
  });

  test('a port in use is named with the flag that changes it, and no worker is left', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    for (const flag of ['http-port', 'grpc-port']) {
      const { code, said } = await refused({ flags: { ...apart(scratch, models), [flag]: port } });
      assert.match(said, new RegExp(`port ${port} on 127.0.0.1 is in use by another program; .*--${flag}`));
      assert.equal(code, 1, said);
    }
    taken.close();
  });

  test('an endpoint in use is named, and the one who has it serves on', async (t) => {
    const flags = apart(scratch, models);
    const first = await startNode(flags);
    t.after(() => first.dispose());
    const { code, said } = await refused({ flags });
    assert.match(said, /in use|already/);
    assert.ok(said.includes(String(flags.endpoint)), said);
    assert.equal(code, 1, said);
    const client = new GrpcClient(first.grpcPort);
    t.after(() => client.close());
    assert.equal((await client.infer(rowOf('steady', 1))).status, 'OK');
  });

  test('a repository that is not there: exit code 1 and its name', async () => {
    const { code, said } = await refused({ flags: apart(scratch, scratch.path('nowhere')) });
    assert.match(said, /nowhere can't be read: .*; name another with --models/);
    assert.equal(code, 1);
  });

  test('models that are broken are UNAVAILABLE with the reason, the rest serve', async (t) => {
    const broken = new ModelFolder(scratch)
      .simulated('steady')
      .onnx('corrupt', Buffer.from('this is no model'))
      .config('misspelt', ['backend: simulated', 'maxBtach: 3'])
      .config('empty', ['backend: onnxruntime']).folder;
    const node = await startNode(apart(scratch, broken));
    t.after(() => node.dispose());
    const client = new GrpcClient(node.grpcPort);
    t.after(() => client.close());
    assert.equal((await client.infer(rowOf('steady', 1))).values[0], 1);
    const reasons: readonly [string, RegExp][] = [
      ['corrupt', /model\.onnx/],
      ['misspelt', /config\.yaml.*maxBtach/],
      ['empty', /has no version/],
    ];
    const index = (await http(node.httpPort, '/v2/repository/index', {})).body as {
      name: string;
      state: string;
      reason: string;
    }[];
    for (const [model, why] of reasons) {
      const told = await client.infer(rowOf(model, 1));
      assert.equal(told.code, 'MODEL_UNAVAILABLE', told.message);
      assert.match(told.message, why);
      const listed = index.find((entry) => entry.name === model);
      assert.equal(listed?.state, 'UNAVAILABLE');
      assert.match(listed?.reason ?? '', why);
      assert.equal((await http(node.httpPort, `/v2/models/${model}/ready`)).status, 503);
    }
    assert.equal(index.find((entry) => entry.name === 'steady')?.state, 'READY');
  });
});
