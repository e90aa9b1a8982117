// A fresh start as a user has it: sample models answer rightly through both doors, a second node's workers take load, and
// stopping it is not felt. That all of the samples serve is seen where the README's commands are run.
import assert from 'node:assert/strict';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { samples } from '../models/places.js';
import { GrpcClient, http } from './client.js';
import { apart, RunningNode, root, Scratch, until } from './harness.js';

interface HeldOut {
  /** 64 pixels each, from 0 to g (16). */
  readonly images: readonly string[];
  /** A digit for each image. */
  readonly labels: string;
}

const asked = ['digits', 'srcnn'];
const accuracyLeast = 0.95;
const pixels = 64;
const classes = 10;

function likeliest(values: ArrayLike<number>): number {
  let best = 0;
  for (let at = 1; at < classes; at++) if ((values[at] as number) > (values[best] as number)) best = at;
  return best;
}

describe('a fresh start', () => {
  const scratch = new Scratch();
  const { images, labels } = JSON.parse(
    readFileSync(join(root, 'examples', 'data', 'digits-test.json'), 'utf8'),
  ) as HeldOut;
  const inputs = images.map((image) => Float32Array.from(image, (pixel) => Number.parseInt(pixel, 17)));
  let flags: Record<string, string | number>;
  let node: RunningNode;
  let client: GrpcClient;
  before(async () => {
    const models = scratch.path('models');
    for (const name of asked) cpSync(join(samples, name), join(models, name), { recursive: true });
    flags = apart(scratch, models);
    node = await new RunningNode({ flags: { ...flags, role: 'all' } }).ready();
    client = new GrpcClient(node.grpcPort);
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  function right(answers: readonly number[]): number {
    return answers.filter((answer, at) => answer === Number(labels[at])).length / labels.length;
  }

  function ask(data: Float32Array) {
    return client.infer({ model: 'digits', input: 'input', shape: [data.length / pixels, 1, 8, 8], data });
  }

  test(`digits reads ${accuracyLeast * 100} % of the held-out images through gRPC`, async () => {
    const answers = await Promise.all(inputs.map(ask));
    assert.deepEqual(
      answers.filter((answer) => answer.status !== 'OK').map((answer) => answer.message),
      [],
    );
    const accuracy = right(answers.map((answer) => likeliest(answer.values)));
    assert.ok(accuracy >= accuracyLeast, `accuracy ${accuracy}`);
  });

  test('and as rightly through REST, in JSON', async () => {
    const found: number[] = [];
    for (let at = 0; at < inputs.length; at += 30) {
      const batch = inputs.slice(at, at + 30);
      const answer = await http(node.httpPort, '/v2/models/digits/infer', {
        inputs: [
          {
            name: 'input',
            datatype: 'FP32',
            shape: [batch.length, 1, 8, 8],
            data: batch.flatMap((image) => [...image]),
          },
        ],
        outputs: [{ name: 'label' }],
      });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      const body = answer.body as { outputs: [{ name: string; data: number[] }] };
      assert.equal(body.outputs[0].name, 'label');
      found.push(...body.outputs[0].data);
    }
    assert.ok(right(found) >= accuracyLeast, `accuracy ${right(found)}`);
  });

  test('rows keep their places, whatever they share a batch with', async () => {
    const alone = await Promise.all(inputs.slice(0, 24).map(ask));
    const together = await ask(Float32Array.from(inputs.slice(0, 24).flatMap((image) => [...image])));
    for (const [row, answer] of alone.entries()) {
      const own = together.values.subarray(row * classes, (row + 1) * classes);
      for (const [at, value] of own.entries())
        assert.ok(Math.abs(value - (answer.values[at] as number)) < 1e-5);
    }
  });

  test('srcnn answers an image of its own size', async () => {
    const data = new Float32Array(64 * 48).fill(0.5);
    const told = await client.infer({ model: 'srcnn', input: 'input', shape: [1, 1, 64, 48], data });
    assert.equal(told.status, 'OK', told.message);
    assert.equal(told.values.length, 64 * 48);
  });

  test('a node with --role worker adds a worker that takes load, and goes without being missed', async () => {
    const { cluster, endpoint, models } = flags as Record<'cluster' | 'endpoint' | 'models', string>;
    const more = new RunningNode({
      flags: { role: 'worker', cluster, models, join: endpoint, name: 'more', 'worker-count': 1 },
    });
    await more.ready();
    const seen = new Set<string>();
    let errors = 0;
    const image = inputs[0] as Float32Array;
    const some = async (): Promise<void> => {
      for (const told of await Promise.all(Array.from({ length: 32 }, () => ask(image)))) {
        if (told.status !== 'OK') errors++;
        seen.add(/assigned@[^(]*\(([^).]*)/.exec(told.path)?.[1] ?? told.path);
      }
    };
    await until('the new worker answers', async () => {
      await some();
      return seen.has('more-worker-1');
    });
    let going = true;
    const load = (async () => {
      while (going) await some();
    })();
    assert.deepEqual(await more.stop(), { code: 0, signal: null }, more.tail());
    going = false;
    await load;
    assert.equal(errors, 0);
    assert.equal(node.workers().length, 2);
  });
});
