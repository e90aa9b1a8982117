// The image pipeline's part of the benchmark: a JPEG through the server against decoding, enlarging, the model in tiles and
// encoding in one process with one thread.
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { Enlarger } from '../../../runtime/pipelines/image/bicubic.js';
import { Bands, Brightness, tilesOf } from '../../../runtime/pipelines/image/picture.js';
import { interleave, saySpread } from '../figures.js';
import { sampleModels } from '../floor/samples.js';
import { onNode } from '../scene.js';

const scale = 2;
const tileSide = 256;
const halo = 6;
const sizes = { image224VsInProcess: [224, 224], image1080VsInProcess: [1920, 1080] } as const;

export async function imageFigures(rounds: number): Promise<Record<string, number>> {
  const session = await InferenceSession.create(join(sampleModels, 'srcnn/1/model.onnx'), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const figures: Record<string, number> = {};
  await onNode(sampleModels, { 'worker-count': 1, admission: 'off' }, async ({ node }) => {
    const url = `http://127.0.0.1:${node.httpPort}/v2/models/super_resolution/infer`;
    for (const [name, [width, height]] of Object.entries(sizes)) {
      const picture = join(sampleModels, '../images/china.jpg');
      const jpeg = await sharp(picture).resize(width, height, { fit: 'fill' }).jpeg().toBuffer();
      const { server, inProcess } = await interleave(rounds, {
        server: () => timed(() => served(url, jpeg)),
        inProcess: () => timed(() => alone(session, jpeg)),
      });
      saySpread(`${width}x${height} through the server, one worker`, server, ' ms');
      saySpread(`${width}x${height} in one process`, inProcess, ' ms');
      figures[name] = inProcess.median / server.median;
    }
  });
  await session.release();
  return figures;
}

async function timed(run: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await run();
  return performance.now() - began;
}

async function served(url: string, jpeg: Buffer): Promise<void> {
  const headers = { 'content-type': 'image/jpeg' };
  const answer = await fetch(url, { method: 'POST', headers, body: Uint8Array.from(jpeg) });
  const body = await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(Buffer.from(body).toString());
}

/** Brightness alone, which is less than the server does. */
async function alone(session: InferenceSession, jpeg: Buffer): Promise<void> {
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true });
  const brightness = new Brightness(new Bands({ ...info, data }));
  const enlarger = new Enlarger(brightness, scale);
  const [width, height] = [info.width * scale, info.height * scale];
  const result = Buffer.alloc(width * height * 3);
  for (const { inner, outer } of tilesOf(width, height, tileSide, halo)) {
    const values = new Float32Array(outer.width * outer.height);
    enlarger.region(0, outer, values);
    for (let at = 0; at < values.length; at++) values[at] = (values[at] as number) / 255;
    const shape = [1, 1, outer.height, outer.width];
    const { output } = await session.run({ input: new Tensor('float32', values, shape) });
    const made = output?.data as Float32Array;
    for (let row = 0; row < inner.height; row++) {
      const from = (inner.top - outer.top + row) * outer.width + inner.left - outer.left;
      const to = (inner.top + row) * width + inner.left;
      for (let at = 0; at < inner.width; at++)
        result.fill(
          Math.min(255, Math.max(0, (made[from + at] as number) * 255)),
          (to + at) * 3,
          (to + at) * 3 + 3,
        );
    }
  }
  await sharp(result, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
}
