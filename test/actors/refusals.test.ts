// What a refusal says is true: whose answer would be late, or what else stands against it; when to come again is when
// what waits is worked off; and a tenant in a hurry is not refused for good because batches pay.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Said } from '../../proto/messages.js';
import { SchedulerStage as Stage } from './scheduler-stage.js';
import { digits, said, worker } from './stage.js';

function measured(
  runs: readonly (readonly [number, number])[] = [
    [1, 10],
    [16, 26],
  ],
): Stage {
  const stage = new Stage({ choice: 'earliest-finish', lane: { depthMax: 10_000, bytesMax: 1e9 } });
  const epoch = stage.join(worker, 2, { rowsMax: 16 });
  stage.hear({ type: 'costs.measured', epoch, ...digits, runs }, worker);
  return stage;
}

type Enqueue = Partial<Said<'job.enqueue'>>;

/** Offers what `comes` says for each millisecond to a worker that works it off; what was refused. */
function run(
  stage: Stage,
  lastMs: number,
  comes: (now: number) => readonly Enqueue[],
): (readonly [Enqueue, Said<'job.refused'> | undefined])[] {
  const told: (readonly [Enqueue, Said<'job.refused'> | undefined])[] = [];
  const queued: Said<'batch.assign'>[] = [];
  let doneAt = Number.POSITIVE_INFINITY;
  for (const end = stage.now + lastMs; stage.now < end; stage.now++) {
    for (const job of comes(stage.now)) told.push([job, said(stage.enqueue(job), 'job.refused')[0]]);
    if (stage.now >= doneAt) {
      const { batch, epoch, jobs } = queued.shift() as Said<'batch.assign'>;
      const { length: rows } = jobs;
      stage.hear({ type: 'batch.released', batch, epoch, rows, computeMs: 9 + rows, fault: false }, worker);
      doneAt = Number.POSITIVE_INFINITY;
    }
    queued.push(...stage.settle());
    queued.push(...said(stage.hear({ type: 'timer.fired', timer: 'dispatch' }), 'batch.assign'));
    const [first] = queued;
    if (first !== undefined && doneAt === Number.POSITIVE_INFINITY) {
      doneAt = stage.now + 9 + first.jobs.length;
    }
  }
  return told;
}

describe('a refusal', () => {
  test('never says that an answer in time would be late, nor to come at once, at four times what is possible', () => {
    const told = run(measured(), 1500, (now) => Array(3).fill({ budgetMs: now % 10 === 0 ? 16 : 60 }));
    const refused = told.flatMap(([, refusal]) => refusal ?? []);
    assert.ok(refused.length > 500, `${refused.length} were refused`);
    const ways = new Set<string>();
    for (const { reason, retryAfterMs } of refused) {
      const said = /take about ([\d.]+) ms and its deadline is in ([\d.]+) ms(, but)?/.exec(reason);
      assert.ok(said !== null, reason);
      const isLate = Number(said[1]) > Number(said[2]);
      assert.equal(isLate, said[3] === undefined, reason);
      ways.add(/promised|load needs/.exec(reason)?.[0] ?? 'late');
      assert.ok(retryAfterMs >= 1 && retryAfterMs <= 120, `to come again after ${retryAfterMs} ms`);
    }
    assert.deepEqual([...ways].sort(), ['late', 'load needs', 'promised']);
    const soon = refused.filter(({ retryAfterMs }) => retryAfterMs <= 5).length;
    assert.ok(soon < refused.length / 4, `${soon} of ${refused.length} were to come again within 5 ms`);
  });

  test('says when no waiting helps', () => {
    const [refused] = said(measured().enqueue({ budgetMs: 4 }), 'job.refused');
    assert.match(refused?.reason ?? '', /by itself it takes 10 ms: come again with a longer deadline/);
    assert.equal(
      refused?.retryAfterMs,
      10,
      'who comes again all the same does so no faster than it could be run',
    );
    const stage = measured();
    stage.enqueue({ budgetMs: 1000 });
    stage.settle();
    const [busy] = said(stage.enqueue({ budgetMs: 15 }), 'job.refused');
    assert.doesNotMatch(busy?.reason ?? '', /longer deadline/);
    assert.match(busy?.reason ?? '', /for 1 worker, of which none is free for 10 ms/);
    assert.equal(busy?.retryAfterMs, 10, 'then the worker is free');
  });

  test('has the time in which what waits is worked off', () => {
    const stage = measured();
    for (let job = 0; job < 160; job++) stage.enqueue({ budgetMs: 10_000 });
    const [refused] = said(stage.enqueue({ budgetMs: 5 }), 'job.refused');
    assert.ok(refused !== undefined && refused.retryAfterMs >= 240 && refused.retryAfterMs <= 340);
  });
});

describe('a job in a hurry', () => {
  const most: Enqueue = { budgetMs: 100 };

  test('is not refused for the sake of those of lower priority', () => {
    const told = run(measured(), 1000, (now) =>
      now % 50 === 0
        ? [{ budgetMs: 32, priority: 0 }, most]
        : [
            { ...most, priority: 1 },
            { ...most, priority: 1 },
          ],
    );
    const urgent = told.filter(([job]) => job.budgetMs === 32);
    const little = urgent.filter(([, refusal]) => refusal?.reason.includes('load needs'));
    assert.deepEqual(little, []);
  });

  test('gets a part of the time, also where batches that are worth it take longer', () => {
    const told = run(measured(), 3000, (now) => [
      ...(now % 2 === 0 ? [most] : []),
      ...(now % 25 === 0 ? [{ budgetMs: 22 }] : []),
    ]);
    for (const [job, refusal] of told) if (job !== most) console.log(refusal?.reason ?? 'taken');
    const tight = told.filter(([job, refusal]) => job !== most && refusal === undefined).length;
    assert.ok(tight >= 14, `${tight} of 120 were taken`);
  });
});
