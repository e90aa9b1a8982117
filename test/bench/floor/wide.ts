// A wide model under 32 clients, for which batches pay: beside the same model in process on full batches, and what a lone
// request pays for the chance of company.
import { join } from 'node:path';
import { onnxMlp } from '../../executor/onnx.js';
import { requestBytes } from '../../processes/client.js';
import { interleave, median, type Spread, say, saySpread } from '../figures.js';
import { onNode, type Scene } from '../scene.js';
import { grpcCaller, timeCalls } from './callers.js';
import { loadBare } from './compute.js';
import { findLoader, framed, inferPath } from './loader.js';
import { Meter } from './meter.js';

const sizes = [1024, 4096, 4096, 1024];
const width = 1024;
const clients = 32;
const workers = 2;
const bareRows = 16;
const loneCalls = 40;

export interface WideOrder {
  readonly rounds: number;
  readonly seconds: number;
}

export function wideFigures(order: WideOrder): Promise<Record<string, number>> {
  const wide = onnxMlp(sizes);
  const small = onnxMlp([64, 100, 10]);
  return onNode(
    (folder) =>
      folder
        .onnx('wide', wide, ['maxBatch: 32'])
        .onnx('wide-alone', wide, ['maxBatch: 1'])
        .onnx('small', small, ['maxBatch: 32'])
        .onnx('small-alone', small, ['maxBatch: 1']),
    { 'worker-count': workers, 'thread-count': 1 },
    (scene) => measure(scene, order),
  );
}

async function measure(
  { node, scratch, models }: Scene,
  { rounds, seconds }: WideOrder,
): Promise<Record<string, number>> {
  const bytes = (model: string, size: number): Buffer =>
    requestBytes({ model, shape: [1, size], data: new Float32Array(size).fill(0.01) });
  const file = join(models, 'wide', '1', 'model.onnx');
  const bare = await loadBare(file, [bareRows, width], workers);
  const loader = findLoader(scratch.folder);
  const target = {
    kind: 'grpc',
    port: node.grpcPort,
    path: inferPath,
    body: framed(bytes('wide', width)),
  } as const;
  const meter = new Meter(
    node.pid,
    node.workers().map(({ pid }) => pid),
  );
  let besideCompute = 0;
  const lone = (model: string, size: number) => {
    const ask = grpcCaller(node.grpcPort, bytes(model, size));
    return async () => median(await timeCalls(ask, loneCalls));
  };
  await loader.load(target, { clients, seconds: 1.5 });
  const sides = await interleave(rounds, {
    system: async () => {
      meter.start();
      const { perSecond, failed } = await loader.load(target, { clients, seconds });
      besideCompute = meter.besideCompute();
      if (failed > 0) say(`  ${failed} requests to wide failed`);
      return perSecond;
    },
    besideCompute: () => besideCompute,
    inProcess: async () => bareRows * (await bare.flatOut(seconds * 0.6)).perSecond,
    loneMs: lone('wide', width),
    unbatchedLoneMs: lone('wide-alone', width),
    smallLoneMs: lone('small', 64),
    unbatchedSmallLoneMs: lone('small-alone', 64),
  });
  for (const [name, figure] of Object.entries(sides)) saySpread(`wide ${name}`, figure as Spread);
  await bare.end();
  return {
    wideVsInProcess: sides.system.median / sides.inProcess.median,
    wideOverheadCpu: sides.besideCompute.median,
    wideLoneVsUnbatchedP50: sides.loneMs.median / sides.unbatchedLoneMs.median,
    smallLoneVsUnbatchedP50: sides.smallLoneMs.median / sides.unbatchedSmallLoneMs.median,
    loneVsUnbatchedP50: Math.max(
      sides.loneMs.median / sides.unbatchedLoneMs.median,
      sides.smallLoneMs.median / sides.unbatchedSmallLoneMs.median,
    ),
  };
}
