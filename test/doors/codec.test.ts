// The hand-written codec of the hot message against the general one: what one reads, the other reads as well.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SignalboxError } from '../../proto/errors.js';
import type { Tensor } from '../../proto/tensor.js';
import { type Fields, type MethodCodec, services } from '../../runtime/doors/grpc/definitions.js';
import { AnswerHeads, InferAnswer, streamRefusal } from '../../runtime/doors/grpc/infer-answer.js';
import { generalRequest } from '../../runtime/doors/grpc/infer-general.js';
import { decodeInferRequest, quickRequest } from '../../runtime/doors/grpc/infer-request.js';
import { Dice } from './dice.js';

const method = services().inference['ModelInfer'] as MethodCodec;
const streamMethod = services().inference['ModelStreamInfer'] as MethodCodec;
const words = ['', 'x', 'image', 'größe', '模型', 'a'.repeat(300)];
const sizes = [0, 1, 2, 127, 128, 300, 16_384, 2 ** 31, 2 ** 40];

function requestOf(dice: Dice): Fields {
  const inputs = Array.from({ length: 1 + dice.below(4) }, () => ({
    name: dice.pick(words),
    datatype: dice.pick(['FP32', 'BYTES', '']),
    shape: Array.from({ length: dice.below(5) }, () => dice.pick(sizes)),
  }));
  const parameters: Record<string, Fields> = {};
  for (let left = dice.below(4); left > 0; left--) {
    parameters[`${dice.pick(words)}${left}`] = dice.pick<Fields>([
      { bool_param: true },
      { bool_param: false },
      { int64_param: 77_000 },
      { uint64_param: 2 ** 50 },
      { string_param: 'fünf' },
      { double_param: 2.5 },
    ]);
  }
  return {
    model_name: dice.pick(words),
    model_version: dice.pick(['', '1', '23']),
    id: dice.pick(words),
    parameters,
    inputs,
    outputs: Array.from({ length: dice.below(3) }, () => ({ name: dice.pick(words) })),
    raw_input_contents: inputs.map(() => Buffer.alloc(dice.pick([0, 1, 4, 200]), 7)),
  };
}

test('a raw request reads the same by hand and by the general codec', () => {
  for (let seed = 1; seed <= 400; seed++) {
    const bytes = method.request.encode(requestOf(new Dice(seed)));
    const quick = quickRequest(bytes);
    assert.ok(quick !== undefined, `seed ${seed} was left to the general codec`);
    assert.deepEqual(plain(quick), plain(generalRequest(bytes)), `seed ${seed}`);
  }
});

test('raw contents are views on the message, not copies', () => {
  const bytes = Buffer.from(
    method.request.encode({ inputs: [{ name: 'x' }], raw_input_contents: [Buffer.alloc(5000, 3)] }),
  );
  assert.equal(decodeInferRequest(bytes).inputs[0]?.data.buffer, bytes.buffer);
});

test('cut anywhere or with any byte changed, a request is read or refused, but never anything else', () => {
  const whole = Buffer.from(method.request.encode(requestOf(new Dice(11))));
  const dice = new Dice(5);
  const spoilt = Array.from({ length: 1500 }, (_, turn) => {
    if (turn % 2 === 0) return whole.subarray(0, dice.below(whole.length));
    const copy = Buffer.from(whole);
    copy[dice.below(copy.length)] = dice.below(256);
    return copy;
  });
  let refused = 0;
  for (const bytes of spoilt) {
    try {
      decodeInferRequest(bytes);
    } catch (fault) {
      assert.ok(fault instanceof SignalboxError, String(fault));
      refused++;
    }
  }
  assert.ok(refused > 100 && refused < spoilt.length, `${refused} refused`);
});

test('what only the general codec reads goes there: negative sizes, huge parameters, other orders', () => {
  const negative = method.request.encode({
    inputs: [{ name: 'x', shape: ['-1'] }],
    raw_input_contents: [Buffer.alloc(1)],
  });
  assert.equal(quickRequest(negative), undefined);
  assert.deepEqual(decodeInferRequest(negative).inputs[0]?.shape, [-1]);
  const huge = method.request.encode({
    inputs: [{ name: 'x' }],
    parameters: { n: { uint64_param: '18446744073709551615' } },
    raw_input_contents: [Buffer.alloc(1)],
  });
  assert.equal(decodeInferRequest(huge).parameters?.get('n'), 2n ** 64n - 1n);
  const one = method.request.encode({ raw_input_contents: [Buffer.from('ab')] });
  const other = method.request.encode({ inputs: [{ name: 'x' }] });
  assert.deepEqual(decodeInferRequest(Buffer.concat([one, other])).inputs[0]?.data, Buffer.from('ab'));
});

test('an answer written by hand reads as it should, bare and in a stream', () => {
  const heads = new AnswerHeads();
  for (let seed = 1; seed <= 200; seed++) {
    const dice = new Dice(seed);
    const outputs: Tensor[] = Array.from({ length: dice.below(4) }, (_, index) => ({
      name: `${dice.pick(words)}${index}`,
      datatype: dice.pick(['FP32', 'INT64']),
      shape: Array.from({ length: dice.below(4) }, () => dice.pick(sizes)),
      data: Buffer.alloc(dice.pick([0, 1, 127, 128, 20_000]), index + 1),
    }));
    const [model, version, id] = [dice.pick(words), '3', dice.pick(words)];
    const head = heads.head(model, version, outputs);
    assert.equal(heads.head(model, version, outputs), head);
    const expected = {
      model_name: model,
      model_version: version,
      id,
      outputs: outputs.map(({ name, datatype, shape }) => ({
        name,
        datatype,
        shape: shape.map(String),
        parameters: {},
        contents: null,
      })),
      raw_output_contents: outputs.map(({ data }) => Buffer.from(data)),
    };
    const bare = method.response.decode(written(new InferAnswer(head, id, outputs, false)));
    assert.deepEqual(bare, { ...expected, parameters: {} });
    const streamed = streamMethod.response.decode(written(new InferAnswer(head, id, outputs, true)));
    const inner = streamed['infer_response'] as Fields;
    assert.deepEqual({ ...inner, parameters: {} }, { ...expected, parameters: {} });
    assert.deepEqual(inner['parameters'], {
      triton_final_response: { bool_param: true, parameter_choice: 'bool_param' },
    });
    assert.equal(streamed['error_message'], '');
  }
});

test('a refusal in a stream carries the sentence and the id', () => {
  const read = streamMethod.response.decode(streamRefusal('INPUT_INVALID: größer', 'a7'));
  assert.equal(read['error_message'], 'INPUT_INVALID: größer');
  assert.equal((read['infer_response'] as Fields)['id'], 'a7');
});

function written(answer: InferAnswer): Buffer {
  const target = Buffer.alloc(answer.byteLength + 3);
  assert.equal(answer.copy(target, 3), answer.byteLength);
  return target.subarray(3);
}

function plain(request: ReturnType<typeof generalRequest>): unknown {
  return {
    ...request,
    parameters: [...(request.parameters ?? [])].sort(),
    inputs: request.inputs.map((input) => ({ ...input, data: Buffer.from(input.data) })),
  };
}
