// What pictures cost a node in memory: a photo of 24 megapixels made four times as large, and pictures that are made to cost
// it dear. The peak is that of the node's process with all its threads, as the system counts it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import { samples } from '../models/places.js';
import { painted, pngOf } from '../pipelines/images.js';
import { apart, RunningNode, Scratch } from './harness.js';
import { forgetPeak, peakMbOf } from './proc.js';
import { ModelFolder } from './repository.js';

const peakMbMax = 500;
/** What a refusal may add to what the node had before it. */
const refusalMbMax = 60;
const pixels = (name: string): string => `[{ name: ${name}, datatype: FP32, shape: [1, 1, -1, -1] }]`;

describe('the memory of a node', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  before(async () => {
    const sample = readFileSync(join(samples, 'super_resolution', 'config.yaml'), 'utf8');
    const models = new ModelFolder(scratch)
      .config('light', [sample.replace(/^runs: .*$/m, 'runs: mirror').replace(/^runsWhen.*$/m, '')])
      .config('mirror', ['backend: echo', `inputs: ${pixels('input')}`, `outputs: ${pixels('output')}`]);
    const flags = { ...apart(scratch, models.folder), 'default-model': 'mirror' };
    node = await new RunningNode({ flags }).ready();
  });
  after(async () => {
    await node.dispose();
    scratch.remove();
  });

  function post(body: Uint8Array): Promise<Response> {
    const url = `http://127.0.0.1:${node.httpPort}/v2/models/light/infer`;
    return fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'image/*' },
      body: Uint8Array.from(body),
    });
  }

  const mbMore = (was: number): number => Math.round(peakMbOf(node.pid) - was);

  test('does not grow with pictures that are made to fill it', async (context) => {
    const small = await painted(64, 64).jpeg().toBuffer();
    const gif = await painted(8, 8).gif().toBuffer();
    assert.equal((await post(small)).status, 200);
    if (!forgetPeak(node.pid)) return context.skip('this system does not count the peak of a process anew');
    const was = peakMbOf(node.pid);
    const bad: Record<string, Buffer> = {
      'a header of 30,000 by 30,000': pngOf(30_000, 30_000, 100),
      'a bomb of 300 megabytes': pngOf(10_000, 10_000, 10_000 * (10_000 * 3 + 1)),
      'a JPEG that says 65,500 by 65,500': saying(small, small.indexOf('\xff\xc0', 0, 'latin1') + 5, 'BE'),
      'a GIF whose frame says 65,500 by 65,500': saying(
        gif,
        gif.indexOf(Buffer.from([0x2c, 0, 0, 0, 0, 8, 0, 8, 0])) + 5,
        'LE',
      ),
      'half a JPEG': small.subarray(0, small.length / 2),
      'no byte': Buffer.alloc(0),
    };
    const statuses: Record<string, number> = {};
    for (const [name, body] of Object.entries(bad)) {
      const answer = await post(body);
      statuses[name] = answer.status;
      assert.match(((await answer.json()) as { error: string }).error, /image/);
      assert.ok(mbMore(was) <= refusalMbMax, `${name}: ${mbMore(was)} MB more`);
    }
    assert.deepEqual(Object.values(statuses), [413, 413, 413, 413, 400, 400]);
    context.diagnostic(
      `${Object.keys(bad).length} bad pictures took ${mbMore(was)} MB more than ${Math.round(was)}`,
    );
    assert.equal((await post(small)).status, 200);
  });

  test('stays below 500 MB when 24 megapixels become 96', { timeout: 200_000 }, async (context) => {
    const photo = await sharp(await painted(600, 400).png().toBuffer())
      .resize(6000, 4000)
      .jpeg()
      .toBuffer();
    const answer = await post(photo);
    const body = Buffer.from(await answer.arrayBuffer());
    assert.equal(answer.status, 200, body.toString('utf8', 0, 500));
    const { width, height, format } = await sharp(body, { limitInputPixels: false }).metadata();
    assert.deepEqual([width, height, format], [12_000, 8000, 'jpeg']);
    const peak = peakMbOf(node.pid);
    if (Number.isNaN(peak)) return context.skip('this system does not tell the peak of a process');
    context.diagnostic(`the node's memory rose to ${Math.round(peak)} MB`);
    assert.ok(peak <= peakMbMax, `${peak} MB`);
  });
});

/** With other sides in its header than it has. */
function saying(image: Buffer, at: number, order: 'BE' | 'LE'): Buffer {
  const lying = Buffer.from(image);
  for (const place of [at, at + 2]) lying[`writeUInt16${order}`](65_500, place);
  return lying;
}
