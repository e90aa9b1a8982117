// What steps around a model cost: pictures and sentences through the server against the same model in one process.
import type { Args } from './figures.js';
import { imageFigures } from './pipelines/image.js';
import { textFigures } from './pipelines/text.js';

export const about =
  'pictures and sentences through the server against the model in one process, and what the answers are worth';
export const flags = {
  rounds: 'interleaved rounds (5)',
  only: 'one of image, text',
  variants: 'folder of minilm in FP32 and INT8 (.cache/minilm)',
};

export async function run(args: Args): Promise<Record<string, number>> {
  const rounds = args.number('rounds', 5);
  const only = args.text('only', '');
  return {
    ...(only === 'text' ? {} : await imageFigures(rounds)),
    ...(only === 'image' ? {} : await textFigures(rounds, args.text('variants', '.cache/minilm'))),
  };
}
