// Images for tests, made on the spot, good ones and such as nobody should be given; and what an answer holds.
import { deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import type { Tensor } from '../../proto/tensor.js';

/** A picture with edges and slopes; three channels, or with alpha four. */
export function painted(width: number, height: number, channels: 3 | 4 = 3): Sharp {
  const data = Buffer.alloc(width * height * channels);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const at = (row * width + column) * channels;
      data[at] = (column * 255) / width;
      data[at + 1] = (row * 255) / height;
      data[at + 2] = (column >> 3) % 2 === (row >> 3) % 2 ? 220 : 30;
      if (channels === 4) data[at + 3] = column < width / 2 ? 255 : 64;
    }
  }
  return sharp(data, { raw: { width, height, channels } });
}

export function bytesTensor(name: string, ...elements: Uint8Array[]): Tensor {
  const parts = elements.flatMap((element) => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(element.length);
    return [head, element];
  });
  return { name, datatype: 'BYTES', shape: [elements.length], data: Uint8Array.from(Buffer.concat(parts)) };
}

export function elementsOf({ data }: Tensor): Buffer[] {
  const elements: Buffer[] = [];
  for (let at = 0; at < data.length; ) {
    const length = Buffer.from(data.buffer, data.byteOffset + at, 4).readUInt32LE();
    elements.push(Buffer.from(data.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return elements;
}

/** A PNG that says it is that large, with as many zero bytes in it as are asked for: few when they are packed. */
export function pngOf(width: number, height: number, contentBytes: number): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const content = deflateSync(Buffer.alloc(contentBytes));
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', head),
    chunk('IDAT', content),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(name: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name), content]);
  const whole = Buffer.alloc(8 + body.length);
  whole.writeUInt32BE(content.length, 0);
  whole.set(body, 4);
  whole.writeUInt32BE(crc(body), 4 + body.length);
  return whole;
}

function crc(bytes: Buffer): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return (sum ^ 0xffffffff) >>> 0;
}
