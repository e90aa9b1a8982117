// Who is to blame when a worker dies while it loads: who was alone with it, never who was only there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoadDeaths } from '../../runtime/supervise/load-deaths.js';

function died(deaths: LoadDeaths, worker: string, keys: readonly string[]): void {
  for (const key of keys) deaths.began(worker, key);
  deaths.exited(worker, 'crashed', 'ended by SIGSEGV');
}

test('all that were being loaded at a death are suspects, and none is given up', () => {
  const deaths = new LoadDeaths();
  deaths.began('w1', 'done:1');
  deaths.ended('w1', 'done:1');
  died(deaths, 'w1', ['bad:1', 'good:1']);
  died(deaths, 'w2', ['bad:1', 'good:1']);
  assert.deepEqual(deaths.risks(), { 'bad:1': '', 'good:1': '' });
});

test('a suspect that comes through is none any more, and one that dies alone is given up', () => {
  const deaths = new LoadDeaths();
  died(deaths, 'w1', ['bad:1', 'good:1']);
  deaths.began('w3', 'good:1');
  deaths.ended('w3', 'good:1');
  died(deaths, 'w3', ['bad:1']);
  assert.deepEqual(Object.keys(deaths.risks()), ['bad:1']);
  assert.match(deaths.risks()['bad:1'] ?? '', /broken down 2 workers, the last of them alone .*SIGSEGV/);
});

test('a first death alone may be chance, and so is one by an outside hand', () => {
  const deaths = new LoadDeaths();
  died(deaths, 'w1', ['once:1']);
  assert.deepEqual(deaths.risks(), { 'once:1': '' });
  deaths.began('w2', 'other:1');
  deaths.exited('w2', 'killed', 'ended from outside by SIGKILL');
  assert.deepEqual(deaths.risks(), { 'once:1': '' });
});
