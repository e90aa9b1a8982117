// The steps of a text model: texts in groups of one length to the model, and what it makes of them back in their order.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import type { Step, StepRequest, Tensors } from '../../../runtime/pipelines/step.js';
import { textSteps } from '../../../runtime/pipelines/text/kinds.js';
import { readShape } from '../../../runtime/shape.js';
import { bytesTensor, floatsTensor, numbersOf } from './bytes.js';
import { examples } from './lines.js';

const folder = join(examples, 'models/minilm');
const place = { model: 'minilm', version: '1', folder, versionFolder: join(folder, '1') };

async function opened(name: 'tokenize' | 'reorder', given: object = {}): Promise<Step> {
  const kind = textSteps[name];
  assert.ok(kind !== undefined);
  const read = readShape(kind.options, given);
  assert.ok(read.ok, JSON.stringify(read));
  return (await kind.load()).open(read.value, place);
}

function request(check = (): void => {}): StepRequest {
  return { model: 'minilm', version: '1', parameters: new Map(), kept: new Map(), leftMs: () => 1000, check };
}

async function collected(
  step: Step,
  texts: readonly (string | Uint8Array)[],
  own = request(),
): Promise<Tensors[]> {
  const pieces: Tensors[] = [];
  const made = step.apply?.([bytesTensor('text', texts)], own);
  for await (const piece of made as AsyncIterable<Tensors>) pieces.push(piece);
  return pieces;
}

async function* passing(pieces: readonly Tensors[]): AsyncGenerator<Tensors> {
  yield* pieces;
}

describe('tokenize', () => {
  let step: Step;
  before(async () => {
    step = await opened('tokenize', { lengths: [4, 8, 16], rowsMax: 2 });
  });

  test('puts texts of about one length together, filled up to it', async () => {
    const pieces = await collected(step, ['a', '', 'one two three four five', 'b', 'yes']);
    assert.deepEqual(
      pieces.map(([ids]) => ids?.shape),
      [
        [2, 4],
        [2, 4],
        [1, 8],
      ],
    );
    const [ids, mask] = pieces[0] ?? [];
    assert.deepEqual([ids?.name, ids?.datatype, mask?.name], ['input_ids', 'INT64', 'attention_mask']);
    assert.deepEqual(ids && numbersOf(ids), [101, 1037, 102, 0, 101, 102, 0, 0]);
    assert.deepEqual(mask && numbersOf(mask), [1, 1, 1, 0, 1, 1, 0, 0]);
  });

  test('the last texts of a request go with longer ones where that fills up little', async () => {
    const texts = ['a', 'one two three', 'b', 'one two three four five six seven eight nine ten'];
    const shapesAt = async (joinTokens: number): Promise<unknown> => {
      const joining = await opened('tokenize', { lengths: [3, 5, 12], rowsMax: 4, joinTokens });
      return (await collected(joining, texts)).map(([ids]) => ids?.shape);
    };
    assert.deepEqual(await shapesAt(0), [
      [1, 12],
      [1, 5],
      [2, 3],
    ]);
    assert.deepEqual(
      await shapesAt(4),
      [
        [1, 12],
        [3, 5],
      ],
      'two short ones are filled up by two each',
    );
    assert.deepEqual(await shapesAt(7), [
      [2, 12],
      [2, 3],
    ]);
    assert.deepEqual(await shapesAt(18), [[4, 12]]);
  });

  test('cuts a long text, and beyond the last length fills nothing up', async () => {
    const [[ids] = []] = await collected(step, ['word '.repeat(5000)]);
    assert.deepEqual(ids?.shape, [1, 256]);
    assert.deepEqual(ids && numbersOf(ids).slice(-2), [2773, 102]);
  });

  test('refuses a text that is too long where it shall', async () => {
    const strict = await opened('tokenize', { tooLong: 'refuse', tokensMax: 8, charactersMax: 256 });
    await collected(strict, ['one two three four five six']);
    const wanted = /text 1 of input "text" has more than the 8 tokens/;
    await assert.rejects(collected(strict, ['a', 'one two three four five six seven']), wanted);
    await assert.rejects(collected(strict, ['a', `a${' '.repeat(300)}b`]), wanted);
  });

  test('says which text is not UTF-8, and where', async () => {
    const bad = Buffer.concat([Buffer.from('na\u00efve '), Buffer.from([0xff, 0x41])]);
    const refused = collected(step, ['fine', bad]);
    await assert.rejects(refused, {
      code: 'INPUT_INVALID',
      message: /text 1 of input "text" is not UTF-8: .* byte 7$/,
    });
    const cutOff = collected(step, [Buffer.from('naïve').subarray(0, 3)]);
    await assert.rejects(cutOff, { code: 'INPUT_INVALID' });
  });

  test('takes at least one text and no more than it may', async () => {
    await assert.rejects(collected(step, []), {
      code: 'INPUT_INVALID',
      message: /0 texts, wanted are 1 to 1024/,
    });
    await assert.rejects(collected(step, Array(1025).fill('a')), /1025 texts/);
  });

  test('reads no more of 10 MB than counts', async () => {
    const long = [
      ' '.repeat(10_000_000),
      'x'.repeat(10_000_000),
      '漢'.repeat(3_333_333),
      'so it goes '.repeat(909_090),
    ];
    const startedAt = process.cpuUsage();
    const pieces = await collected(step, long);
    const { user, system } = process.cpuUsage(startedAt);
    assert.deepEqual(
      pieces.map(([ids]) => ids?.shape),
      [
        [2, 4],
        [2, 256],
      ],
    );
    assert.ok((user + system) / 1000 < 5000, `${(user + system) / 1000} ms of processor time`);
  });

  test('stops between texts when nobody waits any more', async () => {
    let asked = 0;
    const gone = request(() => {
      asked += 1;
      if (asked === 2) throw new Error('the request has ended');
    });
    const texts = Array.from({ length: 1000 }, () => 'some words again and again '.repeat(100));
    await assert.rejects(collected(step, texts, gone), /has ended/);
  });

  test('gives the kinds of tokens to a model that wants them', async () => {
    const [piece] = await collected(await opened('tokenize', { kinds: 'token_type_ids' }), ['a']);
    assert.deepEqual(
      piece?.map(({ name }) => name),
      ['input_ids', 'attention_mask', 'token_type_ids'],
    );
  });
});

describe('reorder', () => {
  test('brings the rows of all groups into the order of the request', async () => {
    const [tokenize, reorder] = [
      await opened('tokenize', { lengths: [4, 8], rowsMax: 2 }),
      await opened('reorder'),
    ];
    const own = request();
    const texts = ['one two three four', 'a', 'b', 'five six seven eight', 'c', ''];
    const pieces = await collected(tokenize, texts, own);
    const answers = pieces.map(([ids]) => {
      const [rows = 0, length = 0] = ids?.shape ?? [];
      const all = ids === undefined ? [] : numbersOf(ids);
      const second = Array.from({ length: rows }, (_, row) => [all[row * length + 1] ?? 0, length]);
      return [floatsTensor('embedding', [rows, 2], second.flat())];
    });
    const [whole] = ((await reorder.join?.(passing(answers), own)) ?? []) as Tensors;
    assert.deepEqual(whole?.shape, [6, 2]);
    assert.deepEqual(whole && numbersOf(whole), [2028, 8, 1037, 4, 1038, 4, 2274, 8, 1039, 4, 102, 4]);
  });

  test('says what it cannot put together', async () => {
    const reorder = await opened('reorder');
    const own = request();
    const apart = await opened('tokenize', { lengths: [4, 8], joinTokens: 0 });
    await collected(apart, ['a', 'one two three four'], own);
    const joined = (shapes: readonly number[][]): unknown =>
      reorder.join?.(
        passing(
          shapes.map((shape) => [floatsTensor('state', shape, Array(shape.reduce((a, b) => a * b)).fill(0))]),
        ),
        own,
      );
    await assert.rejects(
      async () =>
        joined([
          [1, 8],
          [1, 4],
        ]),
      /output state has rows of \[4\] and \[8\], which differ/,
    );
    await assert.rejects(
      async () =>
        joined([
          [2, 8],
          [1, 4],
        ]),
      /output state has 2 rows for 1 texts/,
    );
  });
});

describe('the configuration of tokenize', () => {
  test('is told apart by key and value', () => {
    const kind = textSteps['tokenize'];
    assert.ok(kind !== undefined);
    const said = (given: object): string => {
      const read = readShape(kind.options, given);
      return read.ok ? '' : read.mistakes.join('; ');
    };
    assert.match(said({ tokensMax: 1 }), /^tokensMax is 1; wanted is a whole number from 3/);
    assert.match(said({ lengths: [8, 8] }), /^lengths is \[8,8\]; wanted is ascending/);
    assert.match(said({ tokenMax: 1 }), /did you mean tokensMax/);
    assert.match(
      kind.check?.({}, { ...place, folder: dirname(folder) }).join() ?? '',
      /tokenizer\.json is missing/,
    );
    assert.deepEqual(kind.check?.({}, place), []);
  });
});
