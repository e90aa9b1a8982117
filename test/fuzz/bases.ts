// What is mutated: small pictures of every kind that is taken, and models of several kinds.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sampleModels } from '../bench/floor/samples.js';
import { onnxIdentity, onnxMlp } from '../executor/onnx.js';
import { painted } from '../pipelines/images.js';

export async function pictureBases(): Promise<Buffer[]> {
  const [plain, clear] = [painted(48, 32), painted(48, 32, 4)];
  const described = painted(40, 40).withExif({ IFD0: { Copyright: 'x', Orientation: '6' } });
  const frames = await Promise.all(
    [0, 1, 2].map((turn) =>
      plain
        .clone()
        .rotate(turn * 180)
        .png()
        .toBuffer(),
    ),
  );
  return Promise.all([
    plain.clone().jpeg().toBuffer(),
    plain.clone().jpeg({ progressive: true }).toBuffer(),
    plain.clone().toColourspace('cmyk').jpeg().toBuffer(),
    plain.clone().greyscale().jpeg().toBuffer(),
    described.jpeg().toBuffer(),
    plain.clone().png().toBuffer(),
    plain.clone().png({ palette: true }).toBuffer(),
    plain.clone().toColourspace('rgb16').png({ progressive: true }).toBuffer(),
    clear.clone().png().toBuffer(),
    plain.clone().webp().toBuffer(),
    clear.clone().webp({ lossless: true }).toBuffer(),
    plain.clone().gif().toBuffer(),
    animated(frames, 'gif'),
    animated(frames, 'webp'),
  ]);
}

async function animated(frames: readonly Buffer[], format: 'gif' | 'webp'): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  return sharp([...frames], { join: { animated: true } })
    .toFormat(format)
    .toBuffer();
}

/** All take FP32 and are quickly loaded. */
export function modelBases(): Buffer[] {
  const file = (path: string): Buffer => readFileSync(join(sampleModels, path));
  return [
    Buffer.from(onnxIdentity('FP32', 4)),
    Buffer.from(onnxMlp([4, 8, 4])),
    file('digits/1/model.onnx'),
    file('srcnn/1/model.onnx'),
    file('srcnn/1/model.int8.onnx'),
    file('srcnn/1/model.fp16.onnx'),
  ];
}
