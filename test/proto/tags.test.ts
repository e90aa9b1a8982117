// What models may ask for in a worker: what it has by itself and what the node's owner says of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invalid } from '../../proto/codec.js';
import { limits } from '../../proto/limits.js';
import { tagsOf } from '../../proto/tags.js';
import { sample } from './samples.js';

test('a worker has its device, its host and what its owner says, each once', () => {
  assert.deepEqual(tagsOf(['rack-1', 'cpu'], 'cpu', 'box.local'), ['cpu', 'host:box.local', 'rack-1']);
  assert.deepEqual(tagsOf([], 'cuda:1', 'box'), ['cuda:1', 'cuda', 'host:box']);
});

test('what it has fits into its registration, however its host is called', () => {
  const many = Array.from({ length: limits.tagsMax }, (_, at) => `tag-${at}`);
  for (const host of ['x'.repeat(200), 'with spaces', 'box']) {
    const tags = tagsOf(many, 'cpu', host);
    assert.equal(tags.includes(`host:${host}`), host === 'box', host);
    assert.equal(invalid({ ...sample('worker.register'), tags }), undefined);
  }
});
