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

test('who died while something ran is suspect only, until that has happened often', () => {
  const deaths = new LoadDeaths();
  const beside = (worker: string, isBusy: boolean): void => {
    deaths.began(worker, 'new:1', isBusy);
    if (!isBusy) deaths.ran(worker);
    deaths.exited(worker, 'crashed', 'ended by SIGSEGV');
  };
  for (const [at, isBusy] of [true, false, true, false].entries()) beside(`w${at}`, isBusy);
  assert.deepEqual(deaths.risks(), { 'new:1': '' });
  beside('w5', true);
  assert.match(deaths.risks()['new:1'] ?? '', /broken down 5 workers/);
});

test('a run that hung says nothing of what was being loaded', () => {
  const deaths = new LoadDeaths();
  for (const worker of ['w1', 'w2', 'w3']) {
    deaths.began(worker, 'new:1', true);
    deaths.exited(worker, 'hung', 'a run took too long');
  }
  assert.deepEqual(deaths.risks(), {});
});

test('one whose loading comes to no end is given up after the second time, whatever ran beside', () => {
  const deaths = new LoadDeaths();
  const hang = (worker: string, others: readonly string[] = []): void => {
    for (const key of ['slow:1', ...others]) deaths.began(worker, key, true);
    deaths.exited(worker, 'stopped', 'slow:1 did not load on cuda within 9 ms (loadLongestMs)', 'slow:1');
  };
  hang('w1', ['good:1']);
  assert.deepEqual(deaths.risks(), { 'slow:1': '' }, 'who came with it is no suspect');
  hang('w2');
  assert.match(deaths.risks()['slow:1'] ?? '', /broken down 2 workers.*loadLongestMs/);
});

test('what somebody asks for is tried again, and nothing else', () => {
  const deaths = new LoadDeaths();
  for (const worker of ['w1', 'w2']) died(deaths, worker, ['bad:1']);
  died(deaths, 'w3', ['bad-too:1']);
  assert.equal(deaths.forgive('bad:1'), true);
  assert.equal(deaths.forgive('other:1'), false);
  assert.deepEqual(deaths.risks(), { 'bad-too:1': '' });
});
