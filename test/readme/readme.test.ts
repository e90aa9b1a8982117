// The README is true: its tables and chart are the code's. (Its commands are run by test/processes.)
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { batchPolicies, workerChoices } from '../../proto/batching.js';
import { errorCodes } from '../../proto/errors.js';
import { settingNames } from '../../runtime/config/schema.js';
import { simulatedDefaults } from '../../runtime/executor/simulated.js';
import { type ModelConfig, readModelConfig } from '../../runtime/models/config.js';
import { blocks, withBlocks } from './blocks.js';
import { modelKeys } from './keys.js';

const readme = readFileSync('README.md', 'utf8');
const clusters = readFileSync('examples/cluster/README.md', 'utf8');

test('the tables and the chart of the README are those of the code', () => {
  const [written, wanted] = [readme, withBlocks(readme)].map((text) => text.split('\n')) as [
    string[],
    string[],
  ];
  const line = wanted.findIndex((text, at) => text !== written[at]);
  const where = `line ${line + 1}: run \`npm run readme\` and commit what it changed`;
  assert.deepEqual([written[line], written.length], [wanted[line], wanted.length], where);
});

test('no error, no setting and no key of a model is missing', () => {
  assert.ok(modelKeys().length > 20);
  for (const [key] of modelKeys()) assert.ok(readme.includes(`| ${key} |`), key);
  for (const word of [...batchPolicies, ...workerChoices, ...Object.keys(simulatedDefaults)])
    assert.ok(readme.includes(`| \`${word}\` |`), word);
  for (const code of errorCodes) assert.match(readme, new RegExp(`\\| \`${code}\` \\|`));
  for (const name of settingNames) assert.match(readme, new RegExp(`\\| \`${name}\` \\|`));
});

test('the configuration of a model that it shows is one', () => {
  const shown = (first: string): ModelConfig => {
    const block = new RegExp(`\`\`\`yaml\\n(${first}[\\s\\S]*?)\`\`\``);
    const text = block.exec(readme + clusters)?.[1] as string;
    const config = readModelConfig(text);
    assert.ok(typeof config === 'object', String(config));
    return config;
  };
  const { maxBatch, batching } = shown('backend:');
  assert.deepEqual([maxBatch, batching?.preferred], [16, [8, 16]]);
  assert.deepEqual(shown('nodes:').nodes, { replicas: 2, needs: ['big'], device: 'cuda' });
});

test('a block that was changed by hand is found', () => {
  for (const name of Object.keys(blocks)) {
    const changed = readme.replace(`<!-- end of ${name} -->`, `by hand\n<!-- end of ${name} -->`);
    assert.notEqual(withBlocks(changed), changed);
  }
  assert.throws(() => withBlocks(readme.replace('<!-- end of limits -->', '')), /has no block "limits"/);
});
