// What a node remembers of its jobs: the latest, in order, and what went wrong for longer than what went well.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completed, endOf } from '../../actors/router/endings.js';
import { Repository } from '../../runtime/models/repository.js';
import { NodeEngine } from '../../runtime/node/engine.js';
import { type Asked, Journal } from '../../runtime/node/journal.js';
import { RouterStage, specOf } from '../actors/stage.js';
import { sample } from '../proto/samples.js';

const record = { path: () => [{ state: 'queued', afterMs: 0, why: '' }] };
const failed = endOf('failed', 'MODEL_FAILED', 'no');
const any = () => true;

function filled(keptMax: number, count: number, isBad: (number: number) => boolean): Journal {
  const journal = new Journal(keptMax);
  for (let number = 1; number <= count; number++) {
    const spec = specOf({ model: number % 2 === 0 ? 'even' : 'odd' });
    journal.keep(number, spec, isBad(number) ? failed : completed, record, undefined, 1000 + number);
  }
  return journal;
}

function numbers(journal: Journal, last: number, isFailed = false, fits: (asked: Asked) => boolean = any) {
  return journal.last(last, isFailed, fits).map(({ number }) => number);
}

test('a flood of good ones does not push out the others', () => {
  const journal = filled(32, 1000, (number) => number === 3 || number === 500);
  assert.deepEqual(numbers(journal, 10, true), [3, 500]);
  assert.deepEqual(numbers(journal, 10), [3, 500, 997, 998, 999, 1000]);
  assert.deepEqual(numbers(journal, 3), [998, 999, 1000]);
  assert.deepEqual([journal.find(3)?.end.code, journal.find(999)?.end.ending], ['MODEL_FAILED', 'completed']);
  assert.equal(journal.find(996), undefined);
});

test('of one model as many as are asked for, however many of others came since', () => {
  const journal = filled(80, 9, () => false);
  assert.deepEqual(
    numbers(journal, 2, false, ({ model }) => model === 'odd'),
    [7, 9],
  );
  assert.deepEqual(numbers(journal, 20), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('what went wrong is told again word for word, however long its story and whatever came since', () => {
  const journal = new Journal(4);
  const why = (length: number) => 'ä→"\\\n'.repeat(length);
  const stories = [0, 3, 60, 70, 400, 2, 5000, 1].map((length, at) => [
    { state: 'queued', afterMs: at + 0.25, why: why(length) },
    { state: 'failed', afterMs: at + 0.5, why: '' },
  ]);
  const times = { queueMs: 1, computeInputMs: 0.5, computeMs: 2, computeOutputMs: 0, batchRows: 4 };
  for (const [at, path] of stories.entries()) {
    const given = at % 2 === 0 ? times : undefined;
    journal.keep(at, specOf({ model: `größe-${at}` }), failed, { path: () => path }, given, 5000 + at);
  }
  assert.deepEqual(numbers(journal, 10), [4, 5, 6, 7]);
  for (const number of [4, 5, 6, 7]) {
    const told = journal.find(number);
    assert.deepEqual(told?.record.path(), stories[number]);
    assert.deepEqual(told?.end, failed);
    assert.deepEqual(told?.times, number % 2 === 0 ? times : undefined);
    assert.deepEqual([told?.spec.model, told?.endedAt], [`größe-${number}`, 5000 + number]);
  }
});

test('it may keep nothing, and tells nothing then', () => {
  const journal = filled(0, 5, () => true);
  assert.deepEqual(numbers(journal, 5), []);
  assert.equal(journal.find(5), undefined);
});

test('an engine shows its jobs from their arrival to long after their end', () => {
  const stage = RouterStage.usual();
  const engine = new NodeEngine('node-1.aaaaaa', stage.router, new Repository([]), 64);
  const { model, version } = specOf();
  for (let number = 1; number <= 40; number++) engine.submit({ spec: specOf(), payload: [] }, () => {});
  const slice = {
    ...{ member: 0, rowsBefore: 0, rows: 4, rowsTotal: 4 },
    times: { queueMs: 1, computeInputMs: 0, computeMs: 2, computeOutputMs: 0, batchRows: 4 },
  };
  const good = { type: 'reply', job: 39, end: completed, record, slice } as const;
  const heard = { ...sample('batch.finished'), outputs: [] };
  engine.reply(good, { heard, frames: [] });
  engine.reply({ ...good, job: 40, end: failed, slice: undefined }, { heard, frames: [] });
  const all = { last: 9, failed: false, model: '' };
  const { router, ended } = engine.jobs(all);
  assert.equal(router, 'node-1.aaaaaa');
  assert.deepEqual(
    ended.map(({ id, ending, code, message }) => [id, ending, code, message]),
    [
      ['node-1.aaaaaa/13', 'completed', null, ''],
      ['node-1.aaaaaa/14', 'failed', 'MODEL_FAILED', 'no'],
    ],
  );
  assert.deepEqual(ended[0]?.times, slice.times);
  assert.deepEqual(ended[1]?.path, record.path());
  assert.match(String(ended[1]?.endedAt), /^20\d\d-\d\d-\d\dT/);
  assert.deepEqual(engine.jobs({ ...all, failed: true }).ended.length, 1);
  assert.deepEqual(engine.jobs({ ...all, model }).ended.length, 2);
  assert.deepEqual(engine.jobs({ ...all, model: `${model}:${version}` }).ended.length, 2);
  assert.deepEqual(engine.jobs({ ...all, model: `${model}:77` }).ended.length, 0);
  assert.equal(engine.job(40)?.code, 'MODEL_FAILED');
  assert.equal(engine.job(41), undefined);
});

test('a job that lives is shown with the path so far', () => {
  const stage = RouterStage.usual();
  const engine = new NodeEngine('node-1.aaaaaa', stage.router, new Repository([]), 64);
  stage.hear({ type: 'job.submitted', job: 5, spec: specOf() });
  const { ended, live } = engine.jobs({ last: 5, failed: false, model: '' });
  assert.deepEqual([ended.length, live.length], [0, 1]);
  assert.deepEqual([live[0]?.ending, live[0]?.endedAt, live[0]?.path.at(-1)?.state], [null, null, 'queued']);
  assert.deepEqual(engine.job(5), live[0]);
  assert.deepEqual(engine.jobs({ last: 5, failed: true, model: '' }).live, []);
});

test('jobs that share a run are answered each, and the run is counted once', () => {
  const stage = RouterStage.usual();
  const engine = new NodeEngine('node-1.aaaaaa', stage.router, new Repository([]), 64);
  const { model, version } = specOf();
  for (let number = 1; number <= 3; number++) engine.submit({ spec: specOf(), payload: [] }, () => {});
  const times = { queueMs: 1, computeInputMs: 0, computeMs: 2, computeOutputMs: 0, batchRows: 1 };
  const slice = { member: 0, rowsBefore: 0, rows: 1, rowsTotal: 1, times };
  const heard = { ...sample('batch.finished'), outputs: [] };
  const reply = { type: 'reply', end: completed, record, slice } as const;
  engine.reply({ ...reply, job: 1 }, { heard, frames: [] });
  engine.reply({ ...reply, job: 2 }, { heard, frames: [] });
  engine.reply({ ...reply, job: 3 }, { heard: { ...heard }, frames: [] });
  const { inferenceCount, executionCount, success } = engine.counters(model, version);
  assert.deepEqual([success.count, inferenceCount, executionCount], [3, 3, 2]);
});
