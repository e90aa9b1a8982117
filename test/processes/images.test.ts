// The sample pipeline on a real node: pictures through REST as they are, in JSON and through gRPC, and tiled like untiled.
import assert from 'node:assert/strict';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import { samples } from '../models/places.js';
import { bytesTensor, elementsOf, painted } from '../pipelines/images.js';
import { GrpcClient } from './client.js';
import { apart, RunningNode, Scratch } from './harness.js';
import { ModelFolder } from './repository.js';

const pixelTensor = '{ name: NAME, datatype: FP32, shape: [1, 1, -1, -1] }';

describe('pictures', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  let client: GrpcClient;
  let picture: Buffer;
  before(async () => {
    const sample = readFileSync(join(samples, 'super_resolution', 'config.yaml'), 'utf8');
    const models = new ModelFolder(scratch)
      .config('super_resolution', [sample])
      .config('whole', [sample.replace('tileSide: 256', 'tileSide: 4096')])
      .config('light', [sample.replace(/^runs: .*$/m, 'runs: mirror').replace(/^runsWhen.*$/m, '')])
      .config('mirror', [
        'backend: echo',
        `inputs: [${pixelTensor.replace('NAME', 'input')}]`,
        `outputs: [${pixelTensor.replace('NAME', 'output')}]`,
      ]);
    for (const name of new Set(sample.match(/\bsrcnn\w*/g))) {
      cpSync(join(samples, name), join(models.folder, name), { recursive: true });
    }
    const flags = { ...apart(scratch, models.folder), 'default-model': 'mirror' };
    node = await new RunningNode({ flags }).ready();
    client = new GrpcClient(node.grpcPort);
    picture = await painted(300, 170).png().toBuffer();
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  function post(
    model: string,
    body: Uint8Array,
    headers: Record<string, string>,
    query = '',
  ): Promise<Response> {
    const url = `http://127.0.0.1:${node.httpPort}/v2/models/${model}/infer${query}`;
    return fetch(url, { method: 'POST', body: Uint8Array.from(body), headers });
  }

  async function bodyOf(answer: Response): Promise<Buffer> {
    const body = Buffer.from(await answer.arrayBuffer());
    assert.equal(answer.status, 200, body.toString('utf8', 0, 1000));
    return body;
  }

  test('go in and out as they are, in the format that is asked for', async () => {
    const asPng = await post('super_resolution', picture, { 'content-type': 'image/png' });
    assert.equal(asPng.headers.get('content-type'), 'image/png');
    assert.equal(asPng.headers.get('content-encoding'), null);
    const { width, height } = await sharp(await bodyOf(asPng)).metadata();
    assert.deepEqual([width, height], [600, 340]);
    const asked = { 'content-type': 'image/png', accept: 'image/avif, image/png;q=0.5, image/webp;q=0.9' };
    const asWebp = await post('super_resolution', picture, asked, '?quality=50');
    assert.equal(asWebp.headers.get('content-type'), 'image/webp');
    assert.equal((await sharp(await bodyOf(asWebp)).metadata()).format, 'webp');
    const inJson = await post('super_resolution', picture, {
      'content-type': 'image/png',
      accept: 'application/json',
    });
    assert.equal(inJson.headers.get('content-type'), 'application/octet-stream');
    await bodyOf(inJson);
  });

  test('give the same through gRPC, and in tiles the same as whole, to the byte', async () => {
    const rest = await bodyOf(await post('super_resolution', picture, { 'content-type': 'image/png' }));
    const whole = await bodyOf(await post('whole', picture, { 'content-type': 'image/png' }));
    assert.ok(rest.equals(whole));
    const answer = (await client.ask('ModelInfer', {
      model_name: 'super_resolution',
      inputs: [{ name: 'image', datatype: 'BYTES', shape: [1] }],
      raw_input_contents: [bytesTensor('image', picture).data],
    })) as { raw_output_contents: Buffer[] };
    const [image] = elementsOf({
      name: '',
      datatype: 'BYTES',
      shape: [1],
      data: answer.raw_output_contents[0] as Buffer,
    });
    assert.ok(rest.equals(image as Buffer));
  });

  test('are refused with a sentence where they are none, or the model takes none', async () => {
    const refusal = async (answer: Response): Promise<string> =>
      `${answer.status} ${((await answer.json()) as { error: string }).error}`;
    const type = { 'content-type': 'image/jpeg' };
    assert.match(
      await refusal(await post('super_resolution', Buffer.from('no'), type)),
      /^400 .*begin like an image/,
    );
    assert.match(
      await refusal(await post('super_resolution', Buffer.alloc(0), type)),
      /^400 .*it has no bytes/,
    );
    assert.match(
      await refusal(await post('super_resolution', picture, { ...type, accept: 'image/avif' })),
      /^400 .*"avif"/,
    );
    assert.match(
      await refusal(await post('mirror', picture, type)),
      /^400 model "mirror" takes no image as it is/,
    );
  });
});
