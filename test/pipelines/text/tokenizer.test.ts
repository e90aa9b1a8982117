// The tokenizer of the text pipeline makes of a text what the reference does, whatever the text, in bounded time.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { Tokenizer } from '../../../runtime/pipelines/text/tokenizer.js';
import { digestOf, examples, readLines } from './lines.js';

describe('the tokenizer', () => {
  let tokenizer: Tokenizer;
  before(async () => {
    tokenizer = await Tokenizer.open(join(examples, 'models/minilm'), 256);
  });

  test('gives the ids of the reference for a thousand lines', () => {
    const { lines, digests } = readLines();
    assert.equal(digests.length, 1000);
    const wrong = lines.flatMap((line, index) =>
      digestOf(tokenizer.encode(line).ids) === digests[index]
        ? []
        : [`${index}: ${JSON.stringify(line.slice(0, 80))}`],
    );
    assert.deepEqual(wrong, []);
  });
});
