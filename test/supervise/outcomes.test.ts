// What workers said of their loading counts as long as it is so: who leaves a node and comes back is let go and loaded anew
// before it is there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faringOf } from '../../runtime/node/supplying.js';
import { bestOf, Outcomes } from '../../runtime/supervise/outcomes.js';

/** A worker of which the node knows what it says, and the lists that it has been told. */
class Heard {
  readonly outcomes = new Outcomes();
  private count = 0;

  list(...keys: string[]): void {
    this.count++;
    this.outcomes.list(new Set(keys));
  }

  /** It has taken what it was told, of so many lists. */
  hear(has: string[], leaving: string[], count = this.count): void {
    this.outcomes.heard({ count, has, leaving });
  }

  state(key: string): string {
    return this.outcomes.of(key).state;
  }
}

test('what makes room has to be loaded anew', () => {
  const worker = new Heard();
  worker.list('moved');
  assert.equal(worker.state('moved'), 'untried');
  worker.outcomes.ended('moved', '');
  assert.equal(worker.state('moved'), 'loaded');
  worker.outcomes.left('moved');
  assert.equal(worker.state('moved'), 'untried');
  worker.outcomes.ended('moved', '');
  assert.equal(worker.state('moved'), 'loaded');
});

test('what comes back while it is let go is not there before it is loaded anew', () => {
  const worker = new Heard();
  worker.list('moved');
  worker.outcomes.ended('moved', '');
  worker.hear(['moved'], []);
  worker.list();
  assert.equal(worker.state('moved'), 'leaving');
  worker.list('moved');
  worker.hear([], ['moved'], 2);
  assert.equal(worker.state('moved'), 'leaving', 'of the last list it has yet to say something');
  worker.hear([], ['moved']);
  assert.equal(worker.state('moved'), 'leaving');
  worker.outcomes.left('moved');
  assert.equal(worker.state('moved'), 'untried');
  worker.outcomes.ended('moved', '');
  assert.equal(worker.state('moved'), 'loaded');
});

test('what was being loaded when it left is not there when that loading is over', () => {
  const worker = new Heard();
  worker.list('moved');
  worker.hear([], []);
  worker.list();
  worker.list('moved');
  worker.outcomes.ended('moved', '');
  assert.equal(worker.state('moved'), 'leaving');
  worker.outcomes.left('moved');
  worker.hear([], []);
  worker.outcomes.ended('moved', '');
  assert.equal(worker.state('moved'), 'loaded');
});

test('what it never let go it still has, and what it had not begun to load it does not let go', () => {
  const worker = new Heard();
  worker.list('kept', 'waiting');
  worker.outcomes.ended('kept', '');
  worker.list();
  worker.list('kept', 'waiting');
  assert.deepEqual([worker.state('kept'), worker.state('waiting')], ['leaving', 'leaving']);
  worker.hear(['kept'], []);
  assert.deepEqual([worker.state('kept'), worker.state('waiting')], ['loaded', 'untried']);
});

test('why it could not be loaded stands as long as it is wanted', () => {
  const worker = new Heard();
  worker.list('broken');
  worker.outcomes.ended('broken', 'no such operator');
  worker.outcomes.left('broken');
  worker.list('broken', 'other');
  worker.hear([], []);
  assert.deepEqual(worker.outcomes.of('broken'), { state: 'failed', reason: 'no such operator' });
  worker.list();
  assert.equal(worker.state('broken'), 'untried');
});

test('what could not be loaded while it left leaves nothing behind', () => {
  const worker = new Heard();
  worker.list('broken');
  worker.list();
  worker.hear([], ['broken']);
  worker.outcomes.ended('broken', 'no such operator');
  assert.equal(worker.state('broken'), 'untried');
});

test('of the many names that models have had the oldest go', () => {
  const { outcomes } = new Heard();
  for (let at = 0; at < 5000; at++) outcomes.ended(`model ${at}`, '');
  assert.deepEqual([outcomes.of('model 0').state, outcomes.of('model 4999').state], ['untried', 'loaded']);
});

test('a node is as ready with it as the best of its workers; what leaves is none that need not be tried', () => {
  const failed = { state: 'failed', reason: 'no such operator' } as const;
  const leaving = { state: 'leaving', reason: '' } as const;
  const loaded = { state: 'loaded', reason: '' } as const;
  const untried = { state: 'untried' } as const;
  assert.equal(bestOf([failed, leaving, loaded]).state, 'loaded');
  assert.equal(bestOf([untried, failed, leaving]).state, 'leaving');
  assert.equal(bestOf([untried, failed]).state, 'failed');
  assert.equal(bestOf([untried]).state, 'untried');
  const fares = (standing: typeof failed | typeof leaving | typeof loaded | typeof untried) =>
    [faringOf(standing, false), faringOf(standing, true)].map(({ state }) => state).join();
  assert.deepEqual([failed, leaving, loaded, untried].map(fares), [
    'failed,failed',
    'loading,loading',
    'ready,ready',
    'loading,ready',
  ]);
});
