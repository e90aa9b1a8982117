// Mutated ONNX files through the loader of real workers: each is served, or refused with a reason; who dies over one is
// replaced, and the model beside it is served all the while.
import { http } from '../processes/client.js';
import { modelBases } from './bases.js';
import { mutated } from './mutation.js';
import type { FuzzScene } from './scene.js';
import { Tally } from './tally.js';

const name = 'victim';
const timeoutUs = 10_000_000;
const inPlaceShare = 0.85;

interface Port {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

export async function fuzzModels(scene: FuzzScene, seed: number, until: number): Promise<Tally> {
  const tally = new Tally('models');
  const bases = modelBases();
  for (let number = seed; performance.now() < until; number++) {
    const bytes = mutated(bases, number, inPlaceShare);
    const deaths = scene.workerDeaths().length;
    scene.models.file(`${name}/1/model.onnx`, bytes);
    try {
      await tryOne(scene, tally, number);
      const fault = await scene.steady();
      if (fault !== '') tally.wrong.push(`${number}: the model beside it: ${fault}`);
    } catch (fault) {
      tally.wrong.push(`${number}: ${(fault as Error).message}`);
    }
    for (const { detail } of scene.workerDeaths().slice(deaths)) {
      tally.crashes.push(`a worker ${detail}: ${scene.keep(`model-${number}.onnx`, bytes)}`);
    }
    tally.cases++;
  }
  return tally;
}

async function tryOne(scene: FuzzScene, tally: Tally, number: number): Promise<void> {
  const { httpPort } = await scene.node();
  const { status, body } = await http(httpPort, `/v2/repository/models/${name}/load`, {});
  if (status === 200) await ask(httpPort, tally, number);
  else if (status >= 400 && status !== 500) tally.refuse(wordOf(body));
  else tally.wrong.push(`${number}: ${status} ${JSON.stringify(body)}`);
}

/** Whatever it computes, it is to answer or to refuse. */
async function ask(port: number, tally: Tally, number: number): Promise<void> {
  const { body: metadata } = await http(port, `/v2/models/${name}`);
  const { inputs = [] } = metadata as { inputs?: readonly Port[] };
  const given = inputs.map((input) => {
    const shape = input.shape.map((size) => (size < 0 ? 4 : Math.min(size, 64)));
    const count = shape.reduce((product, size) => product * size, 1);
    return { ...input, shape, data: Array.from({ length: Math.min(count, 65_536) }, () => 1) };
  });
  const asked = { inputs: given, parameters: { timeout: timeoutUs } };
  const { status, body } = await http(port, `/v2/models/${name}/infer`, asked);
  const { error = '' } = body as { error?: string };
  if (status === 200) tally.right++;
  else if (error !== '' && !/^INTERNAL/.test(error)) tally.refuse(`when asked: ${wordOf(body)}`);
  else tally.wrong.push(`${number}: ${status} ${JSON.stringify(body).slice(0, 300)}`);
}

/** The sentence without what differs from case to case. */
function wordOf(body: unknown): string {
  const { error = '' } = body as { error?: string };
  return error
    .replace(/\/\S*\//g, '')
    .replace(/^.*?can't be served: /, '')
    .replace(/\d[\d,.]*/g, 'N')
    .slice(0, 48);
}
