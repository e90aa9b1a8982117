// The image pipeline around a model that gives back what it gets: every kind of image that people have, and what nobody
// should be given.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import sharp, { type OutputInfo } from 'sharp';
import type { Pipeline } from '../../runtime/pipelines/declaration.js';
import { type Scene, scene } from './bench.js';
import { bytesTensor, elementsOf, painted, pngOf } from './images.js';

function config(enlarging: string, decoding = '{}', encoding = '{}'): string {
  return [
    'runs: model',
    `before: [{ image.decode: ${decoding} }, { image.enlarge: ${enlarging} }]`,
    `after: [image.recolour, { image.encode: ${encoding} }]`,
  ].join('\n');
}

let made: Scene;
let pipeline: Pipeline;
before(async () => {
  made = await scene('');
  pipeline = made.declare(config('{ scales: [1, 2, 3] }', '{ pixelsMax: 1000000 }'));
});
after(() => made.end());

type Parameters = Record<string, string | number>;

async function enlarged(
  images: Uint8Array[],
  parameters: Parameters = {},
  through = pipeline,
): Promise<Buffer[]> {
  const { end, outputs } = await made.ask(through, [bytesTensor('image', ...images)], { parameters }).answer;
  assert.equal(end.ending, 'completed', end.message);
  return elementsOf(outputs[0] as (typeof outputs)[0]);
}

async function refusal(image: Uint8Array, parameters: Parameters = {}): Promise<string> {
  const { end } = await made.ask(pipeline, [bytesTensor('image', image)], { parameters }).answer;
  return `${end.code} ${end.message}`;
}

async function pixels(image: Uint8Array): Promise<{ data: Buffer; info: OutputInfo }> {
  return sharp(image).raw().toBuffer({ resolveWithObject: true });
}

const cutGif = /^INPUT_INVALID .*it is gif, but it is cut off: 5 frames are whole, and its end is missing$/;

async function gifFrames(): Promise<Buffer> {
  const [width, height, count] = [60, 40, 8];
  const data = Buffer.from(Array.from({ length: width * height * 3 * count }, (_, at) => (at * 7919) >> 3));
  const raw = { width, height: height * count, channels: 3, pageHeight: height } as const;
  return sharp(data, { raw }).gif().toBuffer();
}

describe('the image pipeline', () => {
  test('tiles make the very image that the whole makes', async () => {
    const image = await painted(75, 53).png().toBuffer();
    const tiled = made.declare(config('{ tileSide: 16, halo: 3 }'));
    const whole = made.declare(config('{ tileSide: 4096 }'));
    const before = made.played.jobs.length;
    const [one] = await enlarged([image], {}, tiled);
    assert.equal(made.played.jobs.length - before, 10 * 7);
    const [other] = await enlarged([image], {}, whole);
    assert.equal(made.played.jobs.length - before, 71);
    assert.ok(one?.equals(other as Buffer));
  });

  test('enlarges by the scale asked for, centred, and by one not at all', async () => {
    const image = await painted(40, 30).png().toBuffer();
    const [same] = await enlarged([image], { scale: 1 });
    const given = await pixels(image);
    // Brightness goes through 8 bits on its way.
    const far = (await pixels(same as Buffer)).data.reduce(
      (most, value, at) => Math.max(most, Math.abs(value - (given.data[at] as number))),
      0,
    );
    assert.ok(far <= 1, `off by ${far}`);
    const [thrice] = await enlarged([image], { scale: '3' });
    const { data, info } = await pixels(thrice as Buffer);
    assert.deepEqual([info.width, info.height], [120, 90]);
    // Of three enlarged pixels the middle one lies where the pixel was.
    for (const [column, row] of [
      [12, 9],
      [30, 21],
    ] as const) {
      for (let channel = 0; channel < 3; channel++) {
        const was = given.data[(row * 40 + column) * 3 + channel] as number;
        const is = data[((row * 3 + 1) * 120 + column * 3 + 1) * 3 + channel] as number;
        assert.ok(Math.abs(was - is) <= 1, `${column},${row}: ${was} became ${is}`);
      }
    }
  });

  test('several images of one request are answered in their order', async () => {
    const images = await Promise.all([10, 20, 30].map((side) => painted(side, 8).png().toBuffer()));
    const answers = await enlarged(images);
    const widths = await Promise.all(answers.map(async (answer) => (await sharp(answer).metadata()).width));
    assert.deepEqual(widths, [20, 40, 60]);
  });

  test('writes the format that came or that is asked for', async () => {
    const image = painted(16, 16);
    const formats = async (bytes: Buffer, parameters: Parameters): Promise<string> =>
      (await sharp((await enlarged([bytes], parameters))[0]).metadata()).format;
    for (const format of ['png', 'jpeg', 'webp'] as const) {
      assert.equal(await formats(await image.clone().toFormat(format).toBuffer(), {}), format);
      assert.equal(await formats(await image.clone().png().toBuffer(), { format }), format);
    }
    assert.equal(await formats(await image.clone().gif().toBuffer(), {}), 'png');
    const sizeOf = async (quality: number) =>
      (await enlarged([await painted(64, 64).png().toBuffer()], { format: 'jpg', quality }))[0]?.length ?? 0;
    assert.ok((await sizeOf(20)) < (await sizeOf(95)) / 2);
  });

  test('an animation goes through frame by frame, where the model allows that, and comes out as one', async () => {
    const delays = [40, 50, 60];
    const frames = await Promise.all(
      delays.map((_, at) =>
        painted(24 + at, 16)
          .resize(24, 16, { fit: 'fill' })
          .ensureAlpha()
          .raw()
          .toBuffer(),
      ),
    );
    const raw = { width: 24, height: 48, channels: 4, pageHeight: 16 } as const;
    const moving = sharp(Buffer.concat(frames), { raw });
    const gif = await moving.clone().gif({ delay: delays, loop: 2 }).toBuffer();
    const webp = await moving.clone().webp({ delay: delays, loop: 0, lossless: true }).toBuffer();
    const still = await painted(20, 10).png().toBuffer();
    const all = made.declare(config('{ scales: [2] }', '{ framesMax: 3 }'));
    const shown = async (image?: Buffer) => {
      const { format, width, height, pages, delay, loop } = await sharp(image).metadata();
      return [format, width, height, pages, delay, loop];
    };
    const [first, second] = await enlarged([gif, still], {}, all);
    assert.deepEqual(await shown(first), ['gif', 48, 32, 3, delays, 2]);
    assert.equal((await sharp(second).metadata()).format, 'png');
    const [same] = await enlarged([webp], { quality: 100 }, all);
    assert.deepEqual(await shown(same), ['webp', 48, 32, 3, delays, 0]);
    const [other] = await enlarged([gif], { format: 'webp' }, all);
    assert.deepEqual(await shown(other), ['webp', 48, 32, 3, delays, 2]);
    const before = made.played.jobs.length;
    for (const [image, through, parameters] of [
      [gif, all, { format: 'png' }],
      [webp, pipeline, { format: 'png' }],
      [gif, pipeline, {}],
    ] as const) {
      const [one] = await enlarged([image], parameters, through);
      const { format, pages } = await sharp(one).metadata();
      assert.deepEqual([format, pages], ['png', undefined]);
    }
    assert.equal(made.played.jobs.length - before, 3);
    const few = made.declare(config('{}', '{ framesMax: 2 }'));
    const { end } = await made.ask(few, [bytesTensor('image', gif)]).answer;
    assert.equal(end.code, 'PAYLOAD_TOO_LARGE');
    assert.match(end.message, /image\.decode: the image has 3 frames; allowed are 2 \(framesMax\)/);
    // Each frame is what it would be as an image.
    const file = await sharp(same, { page: 2 }).removeAlpha().raw().toBuffer();
    const [alone] = await enlarged([await sharp(webp, { page: 2 }).png().toBuffer()], {}, all);
    const wanted = await sharp(alone).removeAlpha().raw().toBuffer();
    const far = file.reduce((sum, value, at) => sum + Math.abs(value - (wanted[at] as number)), 0);
    assert.ok(far / file.length < 4, `the last frame is off by ${far / file.length} in the mean`);
  });

  test('keeps alpha and grey, turns upright, and takes CMYK and 16 bits', async () => {
    const shape = async (image: Buffer): Promise<number[]> => {
      const { info } = await pixels((await enlarged([image], { format: 'png' }))[0] as Buffer);
      return [info.width, info.height, info.channels];
    };
    const alpha = await painted(20, 10, 4).png().toBuffer();
    assert.deepEqual(await shape(alpha), [40, 20, 4]);
    const { data } = await pixels((await enlarged([alpha]))[0] as Buffer);
    assert.deepEqual([data[3], data[40 * 4 - 1]], [255, 64]);
    const grey = await painted(20, 10).toColourspace('b-w').jpeg().toBuffer();
    assert.equal((await sharp((await enlarged([grey]))[0]).metadata()).channels, 1);
    const greyAlpha = await painted(20, 10, 4).toColourspace('b-w').png().toBuffer();
    assert.equal((await sharp((await enlarged([greyAlpha]))[0]).metadata()).channels, 2);
    const turned = await painted(20, 10).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    assert.deepEqual(await shape(turned), [20, 40, 3]);
    const ink = await painted(20, 10).toColourspace('cmyk').jpeg().toBuffer();
    assert.equal((await sharp(ink).metadata()).space, 'cmyk');
    assert.deepEqual(await shape(ink), [40, 20, 3]);
    const deep = await painted(20, 10).toColourspace('rgb16').png().toBuffer();
    assert.equal((await sharp(deep).metadata()).depth, 'ushort');
    assert.deepEqual(await shape(deep), [40, 20, 3]);
    const first = (await pixels((await enlarged([deep]))[0] as Buffer)).data;
    const usual = (await pixels((await enlarged([await painted(20, 10).png().toBuffer()]))[0] as Buffer))
      .data;
    const far = first.reduce((most, value, at) => Math.max(most, Math.abs(value - (usual[at] as number))), 0);
    assert.ok(far <= 2, `16 bits are off by ${far}`);
  });

  test('refuses what is no image, is damaged, too large or too strange, with a code and a sentence', async () => {
    const png = await painted(64, 64).png().toBuffer();
    const jpeg = await painted(64, 64).jpeg().toBuffer();
    assert.match(
      await refusal(Buffer.alloc(0)),
      /^INPUT_INVALID .*image\.decode: the image can't be read: it has no bytes$/,
    );
    assert.match(
      await refusal(Buffer.from('hello')),
      /^INPUT_INVALID .*does not begin like an image; taken are png, jpeg/,
    );
    assert.match(
      await refusal(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')),
      /^INPUT_INVALID .*it is SVG; taken are/,
    );
    assert.match(
      await refusal(await painted(8, 8).tiff().toBuffer()),
      /^INPUT_INVALID .*it is TIFF; taken are/,
    );
    for (const bytes of [
      jpeg.subarray(0, jpeg.length / 2),
      png.subarray(0, png.length / 2),
      png.subarray(0, 20),
    ]) {
      assert.match(
        await refusal(bytes),
        /^INPUT_INVALID .*the image can't be read: it is (png|jpeg), but \w/,
      );
    }
    const frames = await gifFrames();
    assert.match(await refusal(frames.subarray(0, (frames.length * 2) / 3)), cutGif);
    assert.match(await refusal(frames.subarray(0, (frames.length * 2) / 3), { format: 'png' }), cutGif);
    assert.match(await refusal(frames.subarray(0, -1)), /it is cut off: 8 frames are whole/);
    const headless = Buffer.from(png).fill(0, 8, 16);
    assert.match(await refusal(headless), /^INPUT_INVALID .*it is png, but its header is damaged$/);
    const bogus = jpeg.subarray(0, 60);
    assert.match(await refusal(bogus), /^INPUT_INVALID .*it is jpeg, but its header is damaged: \w/);
    const broken = Buffer.from(png);
    broken.fill(7, 60, png.length - 30);
    assert.match(await refusal(broken), /^INPUT_INVALID .*it is png, but/);
    assert.match(
      await refusal(pngOf(30_000, 30_000, 100)),
      /^PAYLOAD_TOO_LARGE .*30000x30000 pixels.*allowed are 1000000 \(pixelsMax\)/,
    );
    const bomb = pngOf(4000, 4000, 4000 * (4000 * 3 + 1));
    assert.ok(bomb.length < 1 << 20);
    assert.match(await refusal(bomb), /^PAYLOAD_TOO_LARGE .*4000x4000/);
    assert.match(
      await refusal(png, { format: 'bmp' }),
      /^INPUT_INVALID .*parameter "format" is "bmp", wanted is one of same, jpg, png/,
    );
    assert.match(
      await refusal(png, { quality: 0 }),
      /^INPUT_INVALID .*parameter "quality" is 0, wanted is a whole number from 1 to 100/,
    );
    assert.match(
      await refusal(png, { scale: 4 }),
      /^INPUT_INVALID .*parameter "scale" is 4, wanted is one of 1, 2, 3/,
    );
    const { end } = await made.ask(pipeline, [bytesTensor('image', png, jpeg.subarray(0, 300))]).answer;
    assert.match(end.message, /image 2 of 2: the image can't be read: it is jpeg/);
    const none = await made.ask(pipeline, [bytesTensor('image')]).answer;
    assert.match(none.end.message, /0 images are given, wanted are 1 to 16/);
  });

  test('an option that makes no sense is told with its step', () => {
    assert.throws(
      () => made.declare(config('{ tileSide: 4 }')),
      /before\[1\] \(image\.enlarge\): tileSide is 4; wanted is a whole number from 16/,
    );
    assert.throws(
      () => made.declare(config('{ tilesize: 4 }')),
      /\(image\.enlarge\): tilesize is not a known key; did you mean tileSide\?/,
    );
    assert.throws(
      () => made.declare(config('{ scale: 3 }')),
      /scale is 3; wanted is one of scales, which are \[2\]/,
    );
    assert.throws(
      () => made.declare('before: [image.encode]'),
      /before\[0\] is image\.encode, which is a step for after/,
    );
    assert.throws(() => made.declare('before: [image.decod]'), /did you mean image\.decode\?/);
  });
});
