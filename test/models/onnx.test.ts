// The reader of ONNX files: what it finds in good ones, and that no bytes whatever make it do anything but answer.
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDatatype } from '../../proto/tensor.js';
import { type Graph, readOnnxBytes, readOnnxFile } from '../../runtime/models/onnx.js';
import { Dice } from '../doors/dice.js';
import { onnxMlp } from '../executor/onnx.js';
import { chunk, head, initializer, input, joined, model, number, output, value } from './fields.js';
import { folderOf } from './folder.js';
import { samples } from './places.js';

const digits = readFileSync(join(samples, 'digits', '1', 'model.onnx'));
const srcnn = readFileSync(join(samples, 'srcnn', '1', 'model.onnx'));

function graphOf(bytes: Uint8Array): Graph {
  const graph = readOnnxBytes(bytes);
  if (typeof graph === 'string') throw new Error(graph);
  return graph;
}

function reasonOf(bytes: Uint8Array): string {
  const reason = readOnnxBytes(bytes);
  assert.equal(typeof reason, 'string', JSON.stringify(reason));
  return reason as string;
}

test('the samples say what they take and give', () => {
  assert.deepEqual(graphOf(digits), {
    inputs: [{ name: 'input', datatype: 'FP32', unfit: '', shape: [-1, 1, 8, 8] }],
    outputs: [
      { name: 'probabilities', datatype: 'FP32', unfit: '', shape: [-1, 10] },
      { name: 'label', datatype: 'INT64', unfit: '', shape: [-1] },
    ],
    nodeCount: 6,
    sizeBytes: digits.length,
  });
  const image = { datatype: 'FP32', unfit: '', shape: [-1, 1, -1, -1] };
  assert.deepEqual(graphOf(srcnn).inputs, [{ name: 'input', ...image }]);
  assert.deepEqual(graphOf(srcnn).outputs, [{ name: 'output', ...image }]);
});

test('every element type of the protocol is known, others are named', () => {
  const known: Record<number, string> = {
    1: 'FP32',
    2: 'UINT8',
    3: 'INT8',
    4: 'UINT16',
    5: 'INT16',
    6: 'INT32',
    7: 'INT64',
    8: 'BYTES',
    9: 'BOOL',
    10: 'FP16',
    11: 'FP64',
    12: 'UINT32',
    13: 'UINT64',
    16: 'BF16',
  };
  for (let element = 0; element < 30; element++) {
    const [found] = graphOf(model(chunk(output, value('y', element, [1])))).outputs;
    assert.equal(found?.datatype, known[element]);
    assert.equal(found?.unfit.includes(String(element)), known[element] === undefined);
  }
});

test('sizes: fixed, named, unnamed, negative, beyond counting, none at all', () => {
  const graph = graphOf(
    model(
      chunk(input, value('sizes', 1, [3, 'N', 0, -1n, 2n ** 60n])),
      chunk(input, value('scalar', 1, [])),
      chunk(input, value('unknown', 1)),
      chunk(output, value('y', 1, [1])),
    ),
  );
  assert.deepEqual(
    graph.inputs.map((tensor) => tensor.shape),
    [[3, -1, 0, -1, -1], [], undefined],
  );
});

test('weights that are listed as inputs are none, wherever they stand', () => {
  const graph = graphOf(
    model(
      chunk(initializer, chunk(8, 'before')),
      chunk(input, value('before', 1, [9])),
      chunk(input, value('x', 1, [1])),
      chunk(input, value('behind', 1, [9])),
      chunk(output, value('y', 1, [1])),
      chunk(initializer, joined([chunk(9, new Uint8Array(64)), chunk(8, 'behind')])),
    ),
  );
  assert.deepEqual(
    graph.inputs.map((tensor) => tensor.name),
    ['x'],
  );
});

test('an output that is a sequence is said to be no tensor', () => {
  const sequence = joined([chunk(1, 'scores'), chunk(2, chunk(4, number(1, 1)))]);
  const [found] = graphOf(model(chunk(output, sequence))).outputs;
  assert.deepEqual(found, { name: 'scores', datatype: undefined, unfit: 'is no tensor', shape: undefined });
});

test('what is no model is refused with what is wrong with it', () => {
  const big = new Uint8Array(5000).fill(97);
  const cases: [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(), /empty/],
    ['a text', Buffer.from('This is not a model.\n'), /is not an ONNX model: /],
    [
      'a pointer',
      Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n'),
      /Git LFS pointer/,
    ],
    ['no graph', number(1, 8), /it has no graph/],
    ['an empty graph', joined([number(1, 8), chunk(7, '')]), /it has no graph/],
    ['no outputs', model(chunk(input, value('x', 1, [1]))), /its graph has no outputs/],
    ['cut off', digits.subarray(0, -100), /cut off: the field at byte \d+ ends \d+ bytes after the file/],
    [
      'a lie inside',
      joined([chunk(7, head(output, 1e6)), chunk(8, big)]),
      /ends 1000000 bytes after what it is part of/,
    ],
    ['a group', model(Uint8Array.of(output * 8 + 3)), /of an unknown kind/],
    ['an endless number', model(new Uint8Array(20).fill(255)), /has no end/],
    ['a nameless field', model(Uint8Array.of(0, 0)), /is no field/],
    ['a huge name', model(chunk(output, chunk(1, big))), /a name of 5000 bytes, allowed are 4096/],
    ['a name of rubbish', model(chunk(output, chunk(1, Uint8Array.of(0xc3, 0x28)))), /not UTF-8/],
    [
      'many dimensions',
      model(chunk(output, value('y', 1, new Array(65).fill(1)))),
      /more than 64 dimensions/,
    ],
    [
      'a length beyond any file',
      joined([Uint8Array.of(7 * 8 + 2), new Uint8Array(9).fill(255), Uint8Array.of(1)]),
      /cut off/,
    ],
  ];
  for (const [what, bytes, says] of cases) assert.match(reasonOf(bytes), says, what);
});

test('a file reads like its bytes, also across windows', () => {
  const wide = onnxMlp([300, 200, 150, 5]);
  assert.ok(wide.length > 3 * 65_536);
  const folder = folderOf({
    'wide.onnx': wide,
    'cut.onnx': wide.subarray(0, 200_000),
    'digits.onnx': digits,
  });
  assert.deepEqual(readOnnxFile(join(folder, 'wide.onnx')), graphOf(wide));
  assert.equal(readOnnxFile(join(folder, 'cut.onnx')), reasonOf(wide.subarray(0, 200_000)));
  assert.deepEqual(readOnnxFile(join(folder, 'digits.onnx')), graphOf(digits));
  assert.equal(readOnnxFile(folder), 'it is not a file');
});

test('weights of gigabytes are passed over, not read', { skip: process.platform === 'win32' }, () => {
  const weights = 3 * 2 ** 30;
  const file = join(folderOf({ 'huge.onnx': '' }), 'huge.onnx');
  const raw = head(9, weights);
  const behind = chunk(output, value('y', 1, [1]));
  const weight = head(initializer, raw.length + weights);
  const start = joined([head(7, weight.length + raw.length + weights + behind.length), weight, raw]);
  const descriptor = openSync(file, 'w');
  ftruncateSync(descriptor, start.length + weights + behind.length);
  writeSync(descriptor, start, 0, start.length, 0);
  writeSync(descriptor, behind, 0, behind.length, start.length + weights);
  closeSync(descriptor);
  const before = process.memoryUsage().rss;
  const graph = readOnnxFile(file) as Graph;
  assert.equal(graph.outputs[0]?.name, 'y');
  assert.equal(graph.sizeBytes, start.length + weights + behind.length);
  assert.ok(process.memoryUsage().rss - before < 64 * 2 ** 20);
});

/** A graph that is fit to be handed on, or a sentence. */
function assertAnswer(answer: Graph | string, what: string): void {
  if (typeof answer === 'string') return assert.match(answer, /^it .{5,200}$/s, what);
  for (const { name, datatype, unfit, shape } of [...answer.inputs, ...answer.outputs]) {
    assert.equal(typeof name, 'string', what);
    assert.equal(isDatatype(datatype), unfit === '', what);
    for (const size of shape ?? [])
      assert.ok(Number.isSafeInteger(size) && size >= -1, `${what}: size ${size}`);
  }
}

test('cut off at any byte, it answers', () => {
  let cut = 0;
  for (let length = 0; length < digits.length; length += length < 1200 ? 1 : 97) {
    const answer = readOnnxBytes(digits.subarray(0, length));
    assertAnswer(answer, `${length} bytes`);
    if (typeof answer === 'string') cut += 1;
  }
  assert.ok(cut > 1200);
});

test('four thousand mutations, and it answers each', () => {
  const dice = new Dice(7);
  // Small weights, so that what is mutated is mostly structure.
  const small = onnxMlp([3, 2, 2]);
  let refused = 0;
  for (let round = 0; round < 4000; round++) {
    const bytes = mutated(Buffer.from(round % 8 === 0 ? digits : small), dice);
    const answer = readOnnxBytes(bytes);
    assertAnswer(answer, `round ${round}`);
    if (typeof answer === 'string') refused += 1;
  }
  assert.ok(refused > 500 && refused < 3900, `${refused} of 4000 were refused`);
});

function mutated(bytes: Buffer, dice: Dice): Uint8Array {
  for (let edits = 1 + dice.below(4); edits > 0; edits--) {
    const at = dice.below(bytes.length);
    const how = dice.below(4);
    if (how === 0) bytes[at] = dice.below(256);
    else if (how === 1) bytes[at] = (bytes[at] as number) ^ (1 << dice.below(8));
    else if (how === 2) bytes.fill(255, at, Math.min(bytes.length, at + dice.below(12)));
    else bytes.copyWithin(at, dice.below(bytes.length), dice.below(bytes.length));
  }
  return bytes;
}
