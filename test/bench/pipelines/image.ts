// The image pipeline's part of the benchmark: a JPEG through the server against the same steps and the model in one process
// with one thread, and what the answers are worth.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { decode, encode, enlarge, recolour } from '../../../runtime/pipelines/image/steps.js';
import type { StepPlace, StepRequest, Tensors } from '../../../runtime/pipelines/step.js';
import {
  enlarged,
  heldOutPictures,
  luminanceOf,
  pictureFile,
  psnr,
  smallOf,
  whole,
} from '../../models/pictures.js';
import { bytesTensor } from '../../pipelines/images.js';
import { interleave, saySpread } from '../figures.js';
import { sampleModels } from '../floor/samples.js';
import { onNode } from '../scene.js';

const scale = 2;
const place: StepPlace = { model: '', version: '', folder: '', versionFolder: '' };
const decoding = { pixelsMax: 32_000_000, imagesMax: 1, framesMax: 1 };
const enlarging = { scale, scales: [scale], tileSide: 256, halo: 6, tensor: 'input' };
const encoding = { format: 'same', quality: 90, tensor: 'image' } as const;
interface Steps {
  apply(tensors: Tensors, request: StepRequest): Iterable<Tensors> | AsyncIterable<Tensors>;
  join(pieces: AsyncIterable<Tensors>, request: StepRequest): AsyncIterable<Tensors>;
}
const steps = Promise.all([
  decode.open(decoding, place),
  enlarge.open(enlarging, place),
  recolour.open({}, place),
  encode.open(encoding, place),
]) as Promise<unknown> as Promise<[Steps, Steps, Steps, Steps]>;
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
      const jpeg = await sharp(readFileSync(pictureFile('china.jpg')))
        .resize(width, height, { fit: 'fill' })
        .jpeg()
        .toBuffer();
      const { server, inProcess } = await interleave(rounds, {
        server: () => timed(() => served(url, jpeg)),
        inProcess: () => timed(() => alone(session, jpeg)),
      });
      saySpread(`${width}x${height} through the server, one worker`, server, ' ms');
      saySpread(`${width}x${height} in one process`, inProcess, ' ms');
      figures[name] = inProcess.median / server.median;
    }
    figures['psnrGainDb'] = await gainDb(url);
  });
  await session.release();
  return figures;
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await run();
  return performance.now() - began;
}

async function served(url: string, image: Buffer): Promise<Buffer> {
  const headers = { 'content-type': 'image/*' };
  const answer = await fetch(url, { method: 'POST', headers, body: Uint8Array.from(image) });
  const body = Buffer.from(await answer.arrayBuffer());
  if (answer.status !== 200) throw new Error(body.toString());
  return body;
}

/** The very steps of the server, one piece after the other. */
async function alone(session: InferenceSession, jpeg: Buffer): Promise<void> {
  const request: StepRequest = {
    model: '',
    version: '',
    parameters: new Map(),
    kept: new Map(),
    leftMs: () => Number.POSITIVE_INFINITY,
    check: () => {},
  };
  const [before, within, behind, last] = await steps;
  async function* answers(): AsyncGenerator<Tensors> {
    for await (const picture of before.apply([bytesTensor('image', jpeg)], request)) {
      for await (const [tile] of within.apply(picture, request)) {
        const { shape, data } = tile as Tensors[number];
        const values = new Float32Array(data.buffer);
        const { output } = await session.run({ input: new Tensor('float32', values, shape) });
        const made = output?.data as Float32Array;
        yield [{ name: 'output', datatype: 'FP32', shape, data: new Uint8Array(made.buffer) }];
      }
    }
  }
  for await (const [file] of last.join(behind.join(answers(), request), request)) {
    if (file === undefined || file.data.length < 1000) throw new Error('it made no image');
  }
}

/** How much nearer to the truth than bicubic pictures come that the model has not seen, in the mean. */
async function gainDb(url: string): Promise<number> {
  const gains: number[] = [];
  for (const name of heldOutPictures) {
    const file = readFileSync(pictureFile(`${name}.jpg`));
    const truth = whole(await luminanceOf(file), scale);
    const small = await smallOf(file, scale);
    const made = await luminanceOf(await served(url, small));
    gains.push(psnr(made, truth, scale) - psnr(enlarged(await luminanceOf(small), scale), truth, scale));
  }
  return gains.reduce((sum, gain) => sum + gain, 0) / gains.length;
}
