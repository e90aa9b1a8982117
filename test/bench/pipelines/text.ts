// The text pipeline's part of the benchmark: minilm through the server against the same model in one process, what its
// vectors are worth, and what bytes gain over floats.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cosine, readSentences, type Vector } from '../../pipelines/text/sentences.js';
import { http } from '../../processes/client.js';
import { cpuMsOf } from '../../processes/proc.js';
import { interleave, say, saySpread, spread } from '../figures.js';
import { sampleModels } from '../floor/samples.js';
import { onNode } from '../scene.js';
import { Embedder, openTokenizer } from './embedder.js';

/** Longer ones are rare in what people search for, and would take most of the time. */
const charactersMax = 300;
const repeats = 2;
const inFlight = 64;
/** A busy machine is slow, which is no reason to refuse. */
const timeoutUs = 300_000_000;
const size = 384;
const testTokens = [16, 32, 128];
const testRows = 8;

interface Answered {
  readonly outputs: readonly { readonly data: readonly number[] }[];
}

export async function textFigures(rounds: number, variants: string): Promise<Record<string, number>> {
  const { sentences } = readSentences();
  const usual = sentences.filter((sentence) => sentence.length <= charactersMax);
  const texts = Array.from({ length: repeats }, () => usual).flat();
  const tokenizer = await openTokenizer(sampleModels);
  const ids = texts.map((text) => tokenizer.encode(text).ids);
  const alone = await Embedder.open(join(sampleModels, 'minilm/1/model.onnx'));
  const served = await onNode(sampleModels, { 'worker-count': 1, admission: 'off' }, async ({ node }) => {
    const embed = (given: readonly string[]) => embedded(node.httpPort, given);
    const workers = node.workers().map(({ pid }) => pid);
    const cost = { server: [] as number[], inProcess: [] as number[] };
    const { server, inProcess } = await interleave(rounds, {
      server: async () => {
        const before = cpuMsOf(workers);
        const rate = await rateOf(texts, embed);
        cost.server.push((cpuMsOf(workers) - before) / texts.length);
        return rate;
      },
      inProcess: async () => {
        const best = await alone.best(ids);
        cost.inProcess.push(best.cpuMsEach);
        return best.perSecond;
      },
    });
    const cpu = { server: spread(cost.server.slice(1)), inProcess: spread(cost.inProcess.slice(1)) };
    saySpread('processor time of the worker for a text', cpu.server, ' ms');
    saySpread('processor time in one process for a text', cpu.inProcess, ' ms');
    saySpread('texts a second, one a request, 64 in flight, one worker', server);
    saySpread('texts a second, in one process with one thread, sorted batches', inProcess);
    return {
      embedVsInProcess: server.median / inProcess.median,
      embedCpuVsInProcess: cpu.inProcess.median / cpu.server.median,
      ...(await worth(embed)),
    };
  });
  await alone.end();
  return { ...served, ...(await variantFigures(rounds, variants)) };
}

type Embed = (texts: readonly string[]) => Promise<Vector[]>;

async function embedded(port: number, texts: readonly string[]): Promise<Vector[]> {
  const inputs = [{ name: 'text', datatype: 'BYTES', shape: [texts.length], data: texts }];
  const { status, body } = await http(port, '/v2/models/minilm/infer', {
    inputs,
    parameters: { timeout: timeoutUs },
  });
  if (status !== 200) throw new Error(JSON.stringify(body));
  const { data } = (body as Answered).outputs[0] as Answered['outputs'][number];
  return texts.map((_, at) => data.slice(at * size, (at + 1) * size));
}

async function rateOf(texts: readonly string[], embed: Embed): Promise<number> {
  const began = performance.now();
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < texts.length) await embed([texts[next++] as string]);
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  return (texts.length * 1000) / (performance.now() - began);
}

async function worth(embed: Embed): Promise<Record<string, number>> {
  const { sentences, vectors } = readSentences();
  const own = await embed(sentences);
  const alone: Vector[] = [];
  for (const sentence of sentences.slice(0, 32)) alone.push(...(await embed([sentence])));
  const together = await embed(sentences.slice(0, 32));
  return {
    cosineDefaultMin: Math.min(...own.map((vector, at) => cosine(vector, vectors[at] as Vector))),
    batchInvarianceMin: Math.min(...alone.map((vector, at) => cosine(vector, together[at] as Vector))),
  };
}

/** Nothing where the variants have not been made: they are too large to be shipped. */
async function variantFigures(rounds: number, folder: string): Promise<Record<string, number>> {
  const files = { fp32: join(folder, 'fp32.onnx'), int8: join(folder, 'int8.onnx') };
  const missing = Object.values(files).filter((file) => !existsSync(file));
  if (missing.length > 0) {
    say(
      `  int8VsFp32 is not measured: ${missing.join(' and ')} are missing; python examples/training/minilm.py ` +
        `--variants fp32 int8 --out ${folder}`,
    );
    return {};
  }
  const [fp32, int8] = [await Embedder.open(files.fp32), await Embedder.open(files.int8)];
  const ratios: number[] = [];
  for (const tokens of testTokens) {
    const batch = Array.from({ length: testRows }, (_, row) =>
      Array.from({ length: tokens }, (__, at) => 2000 + (((row * tokens + at) * 7919) % 20_000)),
    );
    const cost = await interleave(rounds, { fp32: () => fp32.cpuMs(batch), int8: () => int8.cpuMs(batch) });
    saySpread(`fp32, ${testRows} texts of ${tokens} tokens`, cost.fp32, ' ms');
    saySpread(`int8, ${testRows} texts of ${tokens} tokens`, cost.int8, ' ms');
    ratios.push(cost.fp32.median / cost.int8.median);
  }
  await Promise.all([fp32.end(), int8.end()]);
  return { int8VsFp32: Math.min(...ratios) };
}
