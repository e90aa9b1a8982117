// Large images, which are written band by band: the file holds the very pixels that it would hold had it been written at once.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import type { Picture } from '../../runtime/pipelines/image/picture.js';
import { bandedPixels, canBeWritten, pictureWriter } from '../../runtime/pipelines/image/writer.js';

/** Neither side fits into blocks, and the height not into bands. */
const [width, height] = [2501, 3203];
const quality = 80;

function pictureOf(channels: number): Picture {
  const data = new Uint8Array(width * height * channels);
  for (let at = 0; at < data.length; at++) data[at] = (at >> 4) + (at % 7) * 9 + (at % channels) * 60;
  return { width, height, channels, data };
}

async function written(picture: Picture, format: 'png' | 'jpeg', bandRows: number): Promise<Uint8Array> {
  assert.ok(picture.width * picture.height >= bandedPixels);
  const writer = pictureWriter(picture, format, quality);
  const bandBytes = bandRows * picture.width * picture.channels;
  for (let at = 0; at < picture.data.length; at += bandBytes) {
    await writer.rows(picture.data.slice(at, at + bandBytes));
  }
  return (await writer.end(3)).subarray(3);
}

function rawOf(file: Uint8Array): Promise<Buffer> {
  return sharp(file, { failOn: 'warning' }).raw().toBuffer();
}

describe('a large image', () => {
  for (const channels of [1, 2, 3, 4] as const) {
    test(`of ${channels} channels is the same as JPEG and as PNG as if written at once`, async () => {
      const picture = pictureOf(channels);
      const space = channels < 3 ? 'b-w' : 'srgb';
      const raw = sharp(picture.data, { raw: { width, height, channels } }).toColourspace(space);
      const png = await written(picture, 'png', 100);
      assert.equal((await sharp(png).metadata()).channels, channels);
      const back = await sharp(png).toColourspace(space).raw().toBuffer();
      // Raw and grey the library leaves alpha out.
      const wanted = channels === 2 ? await raw.clone().raw().toBuffer() : Buffer.from(picture.data);
      assert.ok(back.equals(wanted), 'PNG');
      const atOnce = await raw.clone().jpeg({ quality }).toBuffer();
      const inBands = await written(picture, 'jpeg', 100);
      assert.deepEqual(
        [(await sharp(inBands).metadata()).width, (await sharp(inBands).metadata()).height],
        [width, height],
      );
      assert.ok((await rawOf(inBands)).equals(await rawOf(atOnce)), 'JPEG');
    });
  }

  test('goes where its format can hold it', () => {
    assert.ok(canBeWritten({ width: 65_000, height: 10, channels: 3 }, 'jpeg'));
    assert.ok(!canBeWritten({ width: 70_000, height: 10, channels: 3 }, 'jpeg'));
    assert.ok(canBeWritten({ width: 70_000, height: 10, channels: 3 }, 'png'));
    assert.ok(!canBeWritten({ width: 17_000, height: 10, channels: 3 }, 'webp'));
    assert.throws(
      () => pictureWriter({ width: 12_000, height: 8000, channels: 3 }, 'webp', quality),
      /12000x8000 pixels can't be written as webp, which takes 16383 a side and 40000000 pixels/,
    );
  });
});
