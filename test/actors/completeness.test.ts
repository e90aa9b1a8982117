// A node is ready once its workers have had all that they were to have: what comes later does not undo it, what they lose does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Completeness, type WorkerSight } from '../../actors/node/completeness.js';
import { memberId } from '../../proto/ids.js';

function worker(name: string, waitsFor = '', more: Partial<WorkerSight> = {}): WorkerSight {
  return { id: memberId(name, '1'), isUpToDate: true, waitsFor, isForMore: false, ...more };
}

const loading = 'digits is being loaded';

test('whoever has not had everything is waited for', () => {
  const node = new Completeness();
  assert.equal(node.review(2, [worker('one')], ''), '1 of its 2 workers are there');
  assert.match(
    node.review(2, [worker('one'), worker('two', loading, { isForMore: true })], ''),
    /two.*digits/,
  );
  assert.equal(node.review(2, [worker('one'), worker('two')], ''), '');
});

test('a model that comes later makes no node unready, one that is lost does', () => {
  const node = new Completeness();
  node.review(1, [worker('one')], '');
  assert.equal(node.review(1, [worker('one', loading, { isForMore: true, isUpToDate: false })], ''), '');
  assert.match(node.review(1, [worker('one', loading)], ''), /one.*digits is being loaded/);
  assert.equal(node.review(1, [worker('one', loading, { isForMore: true })], ''), '');
});

test('one that has not heard yet what was fetched for it has not had everything', () => {
  const node = new Completeness();
  assert.equal(
    node.review(1, [worker('one')], 'the node still fetches digits:1'),
    'the node still fetches digits:1',
  );
  assert.match(node.review(1, [worker('one', '', { isUpToDate: false })], ''), /has yet to hear/);
  assert.match(node.review(1, [worker('one', loading, { isForMore: true })], ''), /digits/);
  assert.equal(node.review(1, [worker('one')], ''), '');
});

test('who takes the place of one that died begins anew', () => {
  const node = new Completeness();
  node.review(1, [worker('one')], '');
  assert.equal(node.review(1, [], ''), '0 of its 1 workers are there');
  assert.match(node.review(1, [worker('next', loading, { isForMore: true })], ''), /next.*digits/);
});
