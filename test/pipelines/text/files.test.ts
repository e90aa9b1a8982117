// A tokenizer that is cut off, garbled or none is told when its model is read, with file and reason, and not by the first
// request; what only the library finds is told by `models check`.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { checkFolder } from '../../../runtime/models/check.js';
import { scanRepository } from '../../../runtime/models/repository.js';
import { onnxIdentity } from '../../executor/onnx.js';
import { Scratch } from '../../processes/harness.js';
import { examples } from './lines.js';

type Content = Record<string, unknown> & { model: Record<string, unknown> };

const given = readFileSync(join(examples, 'models/minilm/tokenizer.json'), 'utf8');

function changed(change: (content: Content) => void): string {
  const content = JSON.parse(given) as Content;
  change(content);
  return JSON.stringify(content);
}

const faults: Readonly<Record<string, readonly [string, RegExp]>> = {
  'cut off': [given.slice(0, -1000), /tokenizer\.json is not JSON: /],
  empty: ['', /tokenizer\.json is not JSON: /],
  'a list': ['[]', /tokenizer\.json is not a JSON object$/],
  'of something else': ['{"version": 1}', /tokenizer\.json has no model, so it is no tokenizer$/],
  'of an unknown type': [
    changed(({ model }) => (model['type'] = 'Magic')),
    /"Magic"; known are WordPiece, BPE/,
  ],
  'without words': [changed(({ model }) => (model['vocab'] = {})), /has an empty vocab$/],
  'with a word that has no number': [
    changed(({ model }) => Object.assign(model['vocab'] as object, { the: 'x' })),
    /gives the token "the" the id "x"$/,
  ],
  'without its word for the unknown': [
    changed(({ model }) => (model['unk_token'] = '[NONE]')),
    /unk_token "\[NONE\]" that is not in its vocab$/,
  ],
  'with a special token without a number': [
    changed((content) => (content['added_tokens'] = [{ content: '[PAD]' }])),
    /an added token without content or id: \{"content":"\[PAD\]"\}$/,
  ],
};

describe('a corrupt tokenizer', () => {
  const scratch = new Scratch();
  after(() => scratch.remove());

  function folderWith(name: string, content: string, beside = '{}'): string {
    const folder = scratch.path(name.replaceAll(' ', '-'));
    mkdirSync(join(folder, 'm/1'), { recursive: true });
    writeFileSync(join(folder, 'm/1/model.onnx'), onnxIdentity('FP32', 4));
    writeFileSync(join(folder, 'm/tokenizer.json'), content);
    writeFileSync(join(folder, 'm/tokenizer_config.json'), beside);
    const gives = 'gives: [{ name: y, datatype: FP32, shape: [-1, 4] }]';
    writeFileSync(
      join(folder, 'm/config.yaml'),
      `maxBatch: 4\nbefore: [tokenize]\nafter: [reorder]\n${gives}\n`,
    );
    return folder;
  }

  for (const [name, [content, says]] of Object.entries(faults)) {
    test(`${name} makes the version unavailable, and says why`, async () => {
      const folder = folderWith(name, content);
      const entry = (await scanRepository(folder)).find('m', '');
      assert.equal(entry?.state, 'unavailable');
      assert.match(entry?.reason ?? '', says);
      assert.match(entry?.reason ?? '', /config\.yaml: before\[0\] \(tokenize\): \/.*tokenizer\.json /);
    });
  }

  test('both files are told of at once', async () => {
    const { mistakes } = await checkFolder(folderWith('both', '{', 'null'));
    assert.deepEqual(
      mistakes.map(({ key, says }) => [key, /(\w+\.json) is not/.exec(says)?.[1]]),
      [
        ['before[0]', 'tokenizer.json'],
        ['before[0]', 'tokenizer_config.json'],
      ],
    );
  });

  test('what only the library finds is found by models check', async () => {
    const unknown = changed((content) => (content['normalizer'] = { type: 'Nonsense' }));
    const folder = folderWith('deep', unknown);
    assert.equal((await scanRepository(folder)).find('m', '')?.state, 'available');
    const { mistakes } = await checkFolder(folder);
    assert.equal(mistakes.length, 1);
    assert.match(mistakes[0]?.says ?? '', /^before\[0\] \(tokenize\): \/.*tokenizer\.json: .*Nonsense/);
  });

  test('the one that is shipped has nothing amiss', async () => {
    assert.deepEqual((await checkFolder(join(examples, 'models'))).mistakes, []);
  });
});
