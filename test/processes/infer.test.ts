// `node runtime infer` as a person types it: with no server it starts one for itself, with one it asks that, and what is
// wrong is told in a sentence.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import { painted } from '../pipelines/images.js';
import { apart, RunningNode, Scratch } from './harness.js';
import { infer } from './infer.js';
import { ModelFolder } from './repository.js';

const pixels = (name: string): string => `[{ name: ${name}, datatype: FP32, shape: [1, 1, -1, -1] }]`;
const steps = `
export const length = ([text]) => {
  const row = Float32Array.of(text.data.length - 4, 0.5);
  return [{ name: 'x', datatype: 'FP32', shape: [2], data: new Uint8Array(row.buffer) }];
};
`;

describe('infer on the command line', () => {
  const scratch = new Scratch();
  let models: string;
  let image: string;
  before(async () => {
    models = new ModelFolder(scratch)
      .config('mirror', ['backend: echo', `inputs: ${pixels('input')}`, `outputs: ${pixels('output')}`])
      .config('larger', [
        'runs: mirror',
        'before: [image.decode, { image.enlarge: { scales: [2, 3] } }]',
        'after: [image.recolour, image.encode]',
      ])
      .echo('digits')
      .config('words', [
        'runs: digits',
        'before: [./steps.mjs#length]',
        'takes: [{ name: text, datatype: BYTES, shape: [1] }]',
      ])
      .file('words/steps.mjs', steps).folder;
    image = scratch.path('in.png');
    writeFileSync(image, await painted(20, 10).png().toBuffer());
  });
  after(() => scratch.remove());

  test('starts a node for itself, writes the image, and leaves nothing behind', async () => {
    const out = scratch.path('out.jpg');
    const { code, said, complained } = await infer(
      'larger',
      '--models',
      models,
      '--image',
      image,
      '--out',
      out,
      '--scale',
      '3',
    );
    assert.equal(complained, '');
    assert.equal(code, 0);
    assert.match(said, /out\.jpg: image\/jpeg, \d+ bytes, after [\d.]+ s\n$/);
    const { width, height, format } = await sharp(out).metadata();
    assert.deepEqual([width, height, format], [60, 30, 'jpeg']);
  });

  test('asks the node that it is told of', async () => {
    const node = await new RunningNode({ flags: apart(scratch, models) }).ready();
    const server = `http://127.0.0.1:${node.httpPort}`;
    const { code, said, complained } = await infer('words', '--url', server, '--text', 'grüße');
    assert.equal(`${complained}${code} ${said}`, '0 [7,0.5]\n');
    const byPort = await infer('words', '--http-port', String(node.httpPort), '--text', 'grüße');
    assert.equal(`${byPort.complained}${byPort.said}`, '[7,0.5]\n');
    const refused = await infer('words', '--url', server, '--image', image, '--out', scratch.path('x.png'));
    assert.match(
      refused.complained,
      /^signalbox: words gives no image for --out: it gives y \(FP32 \[-1\]\)\n$/,
    );
    assert.match(
      (await infer('word', '--url', server, '--text', 'a')).complained,
      /there is no model "word" available; did you mean "words"\?/,
    );
    await node.dispose();
  });

  test('tells what is wrong with what was typed', async () => {
    const told = async (...args: string[]): Promise<string> => {
      const { code, complained } = await infer(...args);
      return `${code} ${complained.split('\n')[0]}`;
    };
    assert.equal(
      await told('words'),
      '2 signalbox: infer needs --image FILE or --text TEXT: wanted is one of them',
    );
    assert.match(
      await told('larger', '--image', image, '--out', 'x.bmp'),
      /^2 .*--out is "x\.bmp"; wanted is a file that ends in \.png/,
    );
    assert.match(
      await told('larger', '--image', 'no.png', '--out', 'x.png'),
      /^1 .*the image no\.png can't be read/,
    );
    assert.match(
      await told('words', '--text', 'a', '--url', 'http://127.0.0.1:9'),
      /^1 .*no node answers at .*start one with `node runtime`/,
    );
    assert.match(
      await told('words', '--text', 'a', '--url', 'here'),
      /^2 .*--url is "here"; allowed is such as http:/,
    );
    assert.match(
      await told('words', '--text', 'a', '--url', 'http://a', '--http-port', '1'),
      /^2 .*--url and --http-port say the same/,
    );
    assert.match(
      await told('words', '--text', 'a', '--http-port', '1', '--models', models),
      /^2 .*--models is for a node that is started, and --http-port names one that runs/,
    );
    assert.match((await infer('--help')).said, /^Usage: node runtime infer MODEL --image FILE/);
  });
});
