// The text pipeline's part of the benchmark: minilm through the server against the same model in one process, what its
// vectors are worth, and what bytes gain over floats.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cosine, readSentences, type Vector } from '../../pipelines/text/sentences.js';
import { http } from '../../processes/client.js';
import { interleave, median, say, saySpread } from '../figures.js';
import { sampleModels } from '../floor/samples.js';
import { onNode } from '../scene.js';
import { EmbedLoad, type Offered } from './embed-load.js';
import { Embedder, openTokenizer, type Pace } from './embedder.js';

/** Longer ones are rare in what people search for, and would take most of the time. */
const charactersMax = 300;
const repeats = 8;
const offers = {
  each: { textsEach: 1, inFlight: 64 },
  many: { textsEach: 32, inFlight: 4 },
} as const satisfies Readonly<Record<string, Offered>>;
/** A busy machine is slow, which is no reason to refuse. */
const timeoutUs = 300_000_000;
const size = 384;
const testTokens = [16, 32, 128];
const testRows = 8;

interface Answered {
  readonly outputs: readonly { readonly data: readonly number[] }[];
}

export async function textFigures(rounds: number, variants: string): Promise<Record<string, number>> {
  return {
    ...(await paceFigures(rounds, 1)),
    ...(await paceFigures(rounds, 2)),
    ...(await variantFigures(rounds, variants)),
  };
}

/** So many workers with one thread each against one process with so many threads. */
async function paceFigures(rounds: number, cores: number): Promise<Record<string, number>> {
  const { sentences } = readSentences();
  const usual = sentences.filter((sentence) => sentence.length <= charactersMax);
  const texts = Array.from({ length: repeats }, () => usual).flat();
  const tokenizer = await openTokenizer(sampleModels);
  const alone = await Embedder.open(join(sampleModels, 'minilm/1/model.onnx'), cores);
  try {
    return await onNode(sampleModels, { 'worker-count': cores, admission: 'off' }, async ({ node }) => {
      const load = await EmbedLoad.on(node);
      const sides = await rivals(rounds, {
        each: () => load.run(texts, offers.each),
        many: () => load.run(texts, offers.many),
        inProcess: () => alone.best(texts, tokenizer),
      });
      load.end();
      const where = `${cores} ${cores === 1 ? 'worker' : 'workers'}`;
      sayPace(`one a request, 64 in flight, ${where}`, sides.each);
      sayPace(`32 a request, 4 in flight, ${where}`, sides.many);
      sayPace(`in one process, threads: ${cores}, sorted batches`, sides.inProcess);
      const ratio = (side: Paces, of: keyof Pace): number => side[of] / sides.inProcess[of];
      if (cores > 1) {
        return {
          embedTwoVsInProcess: ratio(sides.each, 'perSecond'),
          embedTwoManyVsInProcess: ratio(sides.many, 'perSecond'),
        };
      }
      return {
        embedVsInProcess: ratio(sides.each, 'perSecond'),
        embedManyVsInProcess: ratio(sides.many, 'perSecond'),
        embedOwnCoreVsInProcess: ratio(sides.each, 'perSecondOwnCore'),
        embedManyOwnCoreVsInProcess: ratio(sides.many, 'perSecondOwnCore'),
        embedCpuVsInProcess: 1 / ratio(sides.each, 'cpuMsEach'),
        embedManyCpuVsInProcess: 1 / ratio(sides.many, 'cpuMsEach'),
        ...(await worth((given) => embedded(node.httpPort, given))),
      };
    });
  } finally {
    await alone.end();
  }
}

type Paces = Record<keyof Pace, number> & { readonly nodeCpuMsEach?: number };

/** In turn, round by round; of each side the medians. */
async function rivals<const N extends string>(
  rounds: number,
  sides: Readonly<Record<N, () => Promise<Pace>>>,
): Promise<Record<N, Paces>> {
  const names = Object.keys(sides) as N[];
  const seen = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<N, Pace[]>;
  const kept = (name: N) => async (): Promise<number> => {
    const pace = await sides[name]();
    seen[name].push(pace);
    return pace.perSecond;
  };
  await interleave(
    rounds,
    Object.fromEntries(names.map((name) => [name, kept(name)])) as Record<N, () => Promise<number>>,
  );
  // The first round warms up.
  return Object.fromEntries(names.map((name) => [name, mediansOf(seen[name].slice(1))])) as Record<N, Paces>;
}

function mediansOf(paces: readonly Pace[]): Paces {
  const keys = Object.keys(paces[0] ?? {}) as (keyof Pace)[];
  return Object.fromEntries(keys.map((key) => [key, median(paces.map((pace) => pace[key]))])) as Paces;
}

function sayPace(name: string, { perSecond, perSecondOwnCore, cpuMsEach, nodeCpuMsEach }: Paces): void {
  const node = nodeCpuMsEach === undefined ? '' : `, the node ${nodeCpuMsEach.toFixed(2)} ms`;
  say(
    `  texts a second, ${name}: ${perSecond.toFixed(0)} (${perSecondOwnCore.toFixed(0)} with a core of its own); ` +
      `processor time each ${cpuMsEach.toFixed(2)} ms${node}`,
  );
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
