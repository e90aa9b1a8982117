// What a config may say of a pipeline, and the sentences for what it may not.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readModelConfig } from '../../runtime/models/config.js';
import { readPipeline, runsFor } from '../../runtime/pipelines/declaration.js';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-declared-'));
writeFileSync(join(folder, 'mine.js'), 'export default (tensors) => tensors;');
after(() => rmSync(folder, { recursive: true, force: true }));

function read(content: string) {
  const config = readModelConfig(content);
  if (typeof config === 'string') return config;
  return readPipeline(config, { model: 'm', version: '1', folder, versionFolder: join(folder, '1') });
}

const ports =
  'takes: [{ name: x, datatype: BYTES, shape: [-1] }]\ngives: [{ name: y, datatype: FP32, shape: [-1] }]';

test('a model without steps has no pipeline', () => {
  assert.equal(read('maxBatch: 4'), undefined);
});

test('steps, options and ports are read', () => {
  const pipeline = read(
    `runs: other:2\nbefore: [./mine.js, { ./mine.js#tidy: { loud: true } }]\nafter:\n  - ./mine.js#end\n${ports}`,
  );
  assert.ok(typeof pipeline === 'object');
  const module = join(folder, 'mine.js');
  assert.deepEqual(pipeline.before, [
    { name: './mine.js', module, member: 'default', options: {} },
    { name: './mine.js#tidy', module, member: 'tidy', options: { loud: true } },
  ]);
  assert.equal(pipeline.runs, 'other:2');
  assert.equal(pipeline.takes?.[0]?.name, 'x');
});

test('what only runs another model shows the ports of that', () => {
  const pipeline = read('runs: other');
  assert.ok(typeof pipeline === 'object');
  assert.deepEqual([pipeline.takes, pipeline.gives], [undefined, undefined]);
});

const mistakes: readonly [config: string, sentence: RegExp][] = [
  [
    'before: [no.such]',
    /^before\[0\] is "no\.such", which is no step; .*a step of your own: \.\/my-steps\.js#name/,
  ],
  [
    'before: [./a/../../b.js]',
    /^before\[0\] is \.\/a\/\.\.\/\.\.\/b\.js, which leads out of the model's folder$/,
  ],
  ['before: [./absent.js]', /^before\[0\] is \.\/absent\.js, but there is no file .*absent\.js$/],
  ['before: [5]', /^before\[0\] is 5; wanted is the name of a step, or \{ name: \{ option: value \} \}$/],
  ['after: [{ a: {}, b: {} }]', /^after\[0\] is \{"a":\{\},"b":\{\}\}; wanted is the name of a step/],
  [
    'before: [./mine.js]',
    /^takes is missing: the first step \.\/mine\.js does not say which inputs clients see/,
  ],
  ['after: [./mine.js#b]', /^gives is missing: the last step \.\/mine\.js#b does not say which outputs/],
  [
    'takes: [{ name: x, datatype: FP32, shape: [-1] }]',
    /^takes tells what the steps .* no before, after or runs$/,
  ],
  [
    'runs: other\nmaxBatch: 3',
    /^maxBatch is said here and runs is other: it belongs into the config of other$/,
  ],
  ['runs: a/b', /^runs is "a\/b"; wanted is a model as NAME or NAME:VERSION$/],
  ['jobsInFlightMax: 0', /^jobsInFlightMax is 0; wanted is a whole number from 1 to 1024$/],
];

for (const [config, sentence] of mistakes) {
  test(`told of: ${config}`, () => assert.match(String(read(config)), sentence));
}

test('which model a parameter chooses is what the configuration says, and nothing else', () => {
  const config = readModelConfig('runs: a\nrunsWhen: { scale: { 3: b } }');
  assert.ok(typeof config !== 'string');
  const pipeline = readPipeline(config, {
    model: 'tried',
    version: '1',
    folder: '.',
    versionFolder: '.',
  });
  assert.ok(typeof pipeline === 'object');
  const chosen = (value: string): string => runsFor(pipeline, new Map([['scale', value]]));
  assert.deepEqual(['3', '4', 'constructor', '__proto__'].map(chosen), ['b', 'a', 'a', 'a']);
});
