// The sample model minilm, asked as a client asks: its vectors are those of the reference, whoever else asks at the same
// time, and what is no text is refused without harm.
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bytesTensor } from '../pipelines/text/bytes.js';
import { cosine, readSentences, type Vector } from '../pipelines/text/sentences.js';
import { http } from './client.js';
import { apart, RunningNode, root, Scratch } from './harness.js';
import { childrenOf, memoryMbOf } from './proc.js';

const size = 384;
const memoryMaxMb = 600;

interface Answered {
  readonly outputs: readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[];
}

describe('sentences become vectors', () => {
  const scratch = new Scratch();
  const { sentences, vectors } = readSentences();
  let node: RunningNode;
  before(async () => {
    const models = scratch.path('models');
    mkdirSync(models);
    symlinkSync(join(root, 'examples/models/minilm'), join(models, 'minilm'));
    node = await new RunningNode({ flags: { ...apart(scratch, models), 'worker-count': 2 } }).ready();
  });
  after(async () => {
    await node.dispose();
    scratch.remove();
  });

  async function embedded(texts: readonly string[]): Promise<Vector[]> {
    const inputs = [{ name: 'text', datatype: 'BYTES', shape: [texts.length], data: texts }];
    const { status, body } = await http(node.httpPort, '/v2/models/minilm/infer', { inputs });
    assert.equal(status, 200, JSON.stringify(body));
    const [output] = (body as Answered).outputs;
    assert.deepEqual(output?.shape, [texts.length, size]);
    return texts.map((_, at) => (output?.data ?? []).slice(at * size, (at + 1) * size));
  }

  /** With the bytes as they are, which JSON could not carry. */
  async function askedWith(
    elements: readonly (string | Uint8Array)[],
  ): Promise<[status: number, text: string]> {
    const { data } = bytesTensor('text', elements);
    const parameters = { binary_data_size: data.length };
    const head = { inputs: [{ name: 'text', datatype: 'BYTES', shape: [elements.length], parameters }] };
    const json = Buffer.from(JSON.stringify(head));
    const answer = await fetch(`http://127.0.0.1:${node.httpPort}/v2/models/minilm/infer`, {
      method: 'POST',
      headers: { 'Inference-Header-Content-Length': String(json.length) },
      body: Buffer.concat([json, data]),
    });
    return [answer.status, await answer.text()];
  }

  test('clients see texts in and vectors out', async () => {
    const { body } = await http(node.httpPort, '/v2/models/minilm');
    const { inputs, outputs } = body as { inputs: unknown; outputs: unknown };
    assert.deepEqual(inputs, [{ name: 'text', datatype: 'BYTES', shape: [-1] }]);
    assert.deepEqual(outputs, [{ name: 'embedding', datatype: 'FP32', shape: [-1, size] }]);
  });

  test('each has a cosine of at least 0.99 to the reference, and unit length', async (context) => {
    const own = await embedded(sentences);
    const close = own.map((vector, at) => cosine(vector, vectors[at] as Vector));
    context.diagnostic(`least cosine to the reference: ${Math.min(...close).toFixed(5)}`);
    assert.deepEqual(
      sentences.filter((_, at) => !((close[at] as number) >= 0.99)),
      [],
    );
    const lengths = own.map((vector) => Math.hypot(...vector));
    assert.ok(lengths.every((length) => Math.abs(length - 1) < 1e-5));
  });

  test('a vector is the same alone, in a request of 32, and beside 31 other requests', async (context) => {
    const texts = sentences.slice(0, 32);
    const together = await embedded(texts);
    const beside = (await Promise.all(texts.map((text) => embedded([text])))).flat();
    const alone: Vector[] = [];
    for (const text of texts) alone.push(...(await embedded([text])));
    const least = Math.min(
      ...alone.flatMap((vector, at) => [
        cosine(vector, together[at] as Vector),
        cosine(vector, beside[at] as Vector),
      ]),
    );
    context.diagnostic(`least cosine to itself: ${least.toFixed(7)}`);
    assert.ok(least >= 0.9999, String(least));
  });

  test('what says the same comes closer than what does not', async () => {
    const [cat, nap, invoice, empty] = await embedded([
      'The cat sleeps on the warm windowsill.',
      'A cat is napping in the sun by the window.',
      'The invoice was paid twice by mistake.',
      '',
    ]);
    assert.ok(cat && nap && invoice && empty);
    assert.ok(cosine(cat, nap) > 0.6 && cosine(cat, invoice) < 0.2);
    assert.ok(Math.abs(Math.hypot(...empty) - 1) < 1e-5);
  });

  test('what is no text is refused with a sentence, and the rest goes on', async () => {
    const [status, said] = await askedWith(['fine', Uint8Array.of(0x66, 0xc3, 0x28)]);
    assert.equal(status, 400, said);
    assert.match(said, /text 1 of input \\"text\\" is not UTF-8: it breaks off at byte 2/);
    const none = await http(node.httpPort, '/v2/models/minilm/infer', {
      inputs: [{ name: 'text', datatype: 'BYTES', shape: [0], data: [] }],
    });
    assert.equal(none.status, 400, JSON.stringify(none.body));
    assert.equal((await embedded(['still here'])).length, 1);
  });

  test('10 MB of text count as far as the model reads, in bounded memory', async (context) => {
    const text = 'all work and no play makes a dull day '.repeat(270_000);
    assert.ok(text.length > 10_000_000);
    const [status, said] = await askedWith([text, text, text]);
    assert.equal(status, 200, said.slice(0, 300));
    const [vector] = await embedded([text.slice(0, 5_000)]);
    const { data } = (JSON.parse(said) as Answered).outputs[0] as Answered['outputs'][number];
    assert.ok(cosine(data.slice(0, size), vector as Vector) > 0.99999);
    const memory = memoryMbOf([node.pid, ...childrenOf(node.pid)]);
    context.diagnostic(`the node and its two workers have ${Math.round(memory)} MB`);
    assert.ok(memory < memoryMaxMb, `${memory} MB`);
  });
});
