// What steps around a model cost: sentences through the server against the same model in one process.
import type { Args } from './figures.js';
import { textFigures } from './pipelines/text.js';

export const about =
  'sentences through the server against the model in one process, and what the answers are worth';
export const flags = {
  rounds: 'interleaved rounds (5)',
  variants: 'folder of minilm in FP32 and INT8 (.cache/minilm)',
};

export async function run(args: Args): Promise<Record<string, number>> {
  return textFigures(args.number('rounds', 5), args.text('variants', '.cache/minilm'));
}
