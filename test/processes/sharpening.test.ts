// The sharpening models through a real node: on pictures that they never learned from, each file gains over bicubic what
// examples/models/README.md says of it, and so does a picture that goes in small and comes out large.
import assert from 'node:assert/strict';
import { appendFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  eightBit,
  enlarged,
  type Grey,
  heldOutPictures,
  luminanceOf,
  pairOf,
  pictureFile,
  psnr,
  smallOf,
  whole,
} from '../models/pictures.js';
import { samples } from '../models/places.js';
import { bytesTensor, elementsOf } from '../pipelines/images.js';
import { GrpcClient } from './client.js';
import { apart, RunningNode, Scratch } from './harness.js';

const meanGainLeastDb = 0.5;
/** Rounding, and another processor's arithmetic. */
const toleranceDb = 0.03;
const tileSides = [48, 4096] as const;

interface Row {
  readonly file: string;
  readonly model: string;
  readonly scale: number;
  readonly gainsDb: readonly number[];
  readonly meanDb: number;
}

/** The table's rows: | `srcnn/1/model.onnx` | kB | astronaut | china | mean | speed | */
const rows = [
  ...readFileSync(join(samples, 'README.md'), 'utf8').matchAll(
    /^\| `(srcnn\w*\/\d+\/[\w.]+\.onnx)` \|[^|]*\| ([+-][\d.]+) \| ([+-][\d.]+) \| ([+-][\d.]+) \|/gm,
  ),
].map(([, file, astronaut, china, mean]): Row => {
  const scale = file?.startsWith('srcnn_x3') ? 3 : 2;
  const gainsDb = [Number(astronaut), Number(china)];
  return {
    file: file ?? '',
    model: `file${scale}${file?.split('.')[1]}`,
    scale,
    gainsDb,
    meanDb: Number(mean),
  };
});

describe('the sharpening models', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  let client: GrpcClient;
  /** By scale, in the order of the pictures. */
  const pairs = new Map<number, ReturnType<typeof pairOf>[]>();
  before(async () => {
    for (const { file, model } of rows) {
      const folder = join(scratch.folder, 'models', model);
      cpSync(dirname(dirname(join(samples, file))), folder, { recursive: true });
      const variant = { onnx: 'fp32', fp16: 'fp16', int8: 'int8' }[file.split('.')[1] as string];
      appendFileSync(join(folder, 'config.yaml'), `variant: ${variant}\n`);
    }
    for (const name of ['srcnn', 'srcnn_x3', 'super_resolution'])
      cpSync(join(samples, name), join(scratch.folder, 'models', name), { recursive: true });
    const outer = readFileSync(join(samples, 'super_resolution', 'config.yaml'), 'utf8');
    for (const side of tileSides) {
      mkdirSync(join(scratch.folder, 'models', `tiles-of-${side}`));
      const tiled = outer.replace(/tileSide: \d+/, `tileSide: ${side}`);
      writeFileSync(join(scratch.folder, 'models', `tiles-of-${side}`, 'config.yaml'), tiled);
    }
    const flags = apart(scratch, join(scratch.folder, 'models'));
    // One has all that is asked here: a second would load all of it once more.
    node = await new RunningNode({ flags: { ...flags, role: 'all', 'worker-count': 1 } }).ready();
    client = new GrpcClient(node.grpcPort);
    const pictures = await Promise.all(
      heldOutPictures.map((name) => luminanceOf(pictureFile(`${name}.jpg`))),
    );
    for (const scale of [2, 3])
      pairs.set(
        scale,
        pictures.map((picture) => pairOf(picture, scale)),
      );
  });
  after(async () => {
    client.close();
    await node.dispose();
    scratch.remove();
  });

  async function mended(model: string, { pixels, height, width }: Grey): Promise<Grey> {
    const data = Float32Array.from(pixels, (pixel) => pixel / 255);
    const told = await client.infer({ model, input: 'input', shape: [1, 1, height, width], data });
    assert.equal(told.status, 'OK', told.message);
    assert.equal(told.values.length, pixels.length);
    return { pixels: Uint8Array.from(told.values, (value) => eightBit(value * 255)), height, width };
  }

  test('all six files are in the table', () => {
    assert.deepEqual(
      rows.map(({ file }) => file),
      ['srcnn', 'srcnn_x3'].flatMap((name) =>
        ['model.onnx', 'model.fp16.onnx', 'model.int8.onnx'].map((file) => `${name}/1/${file}`),
      ),
    );
  });

  for (const { file, model, scale, gainsDb, meanDb } of rows) {
    test(`${file} gains on every picture, ${meanDb} dB in the mean`, async () => {
      const gains = await Promise.all(
        (pairs.get(scale) ?? []).map(
          async ({ sharp, blurred }) =>
            psnr(await mended(model, blurred), sharp, scale) - psnr(blurred, sharp, scale),
        ),
      );
      for (const [at, gain] of gains.entries()) {
        const said = gainsDb[at] as number;
        assert.ok(gain > 0 && Math.abs(gain - said) <= toleranceDb, `${heldOutPictures[at]}: ${gain} dB`);
      }
      const mean = gains.reduce((sum, gain) => sum + gain, 0) / gains.length;
      assert.ok(mean >= meanGainLeastDb && Math.abs(mean - meanDb) <= toleranceDb, `mean ${mean} dB`);
    });
  }

  async function sharpened(model: string, picture: Buffer, scale: number): Promise<Buffer> {
    const { name, datatype, shape, data } = bytesTensor('image', picture);
    const answer = await client.ask('ModelInfer', {
      model_name: model,
      parameters: { scale: { int64_param: scale } },
      inputs: [{ name, datatype, shape }],
      raw_input_contents: [data],
    });
    const [given] = answer['raw_output_contents'] as [Buffer];
    const [element] = elementsOf({ name: 'image', datatype: 'BYTES', shape: [1], data: given });
    return element as Buffer;
  }

  for (const [scale, inner] of [
    [2, 'srcnn'],
    [3, 'srcnn_x3'],
  ] as const)
    test(`super_resolution makes ${scale} times as large pictures as good as the table says`, async () => {
      const said = rows.find(({ file }) => file === `${inner}/1/model.onnx`) as Row;
      for (const [at, name] of heldOutPictures.entries()) {
        const file = pictureFile(`${name}.jpg`);
        const truth = whole(await luminanceOf(file), scale);
        const small = await smallOf(file, scale);
        const blurred = enlarged(await luminanceOf(small), scale);
        const gain =
          psnr(await luminanceOf(await sharpened('super_resolution', small, scale)), truth, scale) -
          psnr(blurred, truth, scale);
        const apart = Math.abs(gain - (said.gainsDb[at] as number));
        assert.ok(gain > 0 && apart <= toleranceDb, `${name}: ${gain} dB`);
      }
    });

  test('a picture in tiles is to the bit the one in one piece', async () => {
    const small = await smallOf(pictureFile('astronaut.jpg'), 4);
    const [tiled, inOne] = await Promise.all(
      tileSides.map((side) => sharpened(`tiles-of-${side}`, small, 2)),
    );
    assert.ok((tiled as Buffer).equals(inOne as Buffer));
  });
});
