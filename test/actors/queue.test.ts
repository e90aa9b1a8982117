// The lane's queue against a naive one, and the batches that are formed from it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Backlog } from '../../actors/lane/backlog.js';
import { formBatch } from '../../actors/lane/batch.js';
import { CostTable } from '../../actors/lane/cost.js';
import { LaneQueue, type Waiting } from '../../actors/lane/queue.js';
import { Random } from '../simulation/random.js';

let arrivals = 0;

function waiting(changes: Partial<Waiting> = {}): Waiting {
  arrivals++;
  return {
    router: 'router-1',
    job: arrivals,
    attempt: 1,
    shapeKey: 'one',
    rows: 1,
    bytes: 10,
    priority: 0,
    deadline: 1000,
    company: 'any',
    avoid: '',
    admitted: false,
    arrival: arrivals,
    arrivedAt: 0,
    strand: undefined,
    ...changes,
  };
}

function inOrder(a: Waiting, b: Waiting): number {
  return a.priority - b.priority || a.deadline - b.deadline || a.arrival - b.arrival;
}

function drain(queue: LaneQueue): Waiting[] {
  const drained: Waiting[] = [];
  for (let head = queue.heads()[0]; head !== undefined; head = queue.heads()[0]) {
    queue.remove(head);
    drained.push(head);
  }
  return drained;
}

describe('the queue of a lane', () => {
  test('goes by priority, then deadline, then arrival', () => {
    const queue = new LaneQueue();
    const late = waiting({ deadline: 900 });
    const soon = waiting({ deadline: 100, shapeKey: 'two' });
    const alike = waiting({ deadline: 100, router: 'router-2' });
    const first = waiting({ deadline: 5000, priority: -1 });
    for (const entry of [late, soon, alike, first]) queue.add(entry);
    assert.deepEqual(drain(queue), [first, soon, alike, late]);
  });

  test('finds the most urgent from some place on', () => {
    const queue = new LaneQueue();
    const [first, second, third] = [
      waiting({ priority: 1, deadline: 200 }),
      waiting({ priority: 1, deadline: 300, shapeKey: 'two' }),
      waiting({ priority: 2, deadline: 100, router: 'router-2' }),
    ];
    const gone = waiting({ priority: 1, deadline: 260 });
    for (const entry of [third, gone, first, second, waiting({ priority: 0, deadline: 900 })])
      queue.add(entry);
    queue.remove(gone);
    assert.equal(
      queue.firstFrom(1, 200, () => true),
      first,
    );
    assert.equal(
      queue.firstFrom(1, 201, () => true),
      second,
    );
    assert.equal(
      queue.firstFrom(1, 201, ({ shapeKey }) => shapeKey === 'one'),
      third,
    );
    assert.equal(
      queue.firstFrom(2, 101, () => true),
      undefined,
    );
  });

  test('agrees with a sorted list under random use', () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = new Random(seed);
      const queue = new LaneQueue();
      let naive: Waiting[] = [];
      const gone = (entry: Waiting): void => {
        naive = naive.filter((other) => other !== entry);
      };
      for (let step = 0; step < 400; step++) {
        const what = random.next();
        if (what < 0.55) {
          const entry = waiting({
            router: random.pick(['router-1', 'router-2']),
            shapeKey: random.pick(['one', 'two', 'three']),
            priority: random.whole(0, 2),
            deadline: random.whole(0, 50),
            bytes: random.whole(0, 9),
          });
          queue.add(entry);
          naive.push(entry);
        } else if (what < 0.75 && naive.length > 0) {
          const entry = random.pick(naive);
          queue.remove(entry);
          queue.remove(entry);
          gone(entry);
        } else if (what < 0.76) {
          queue.removeRouter('router-2');
          naive = naive.filter(({ router }) => router !== 'router-2');
        } else {
          const head = queue.heads()[0];
          if (head === undefined) continue;
          gone(head);
          const alike = naive.filter(
            (other) => other.router === head.router && other.shapeKey === head.shapeKey,
          );
          assert.equal(queue.takeForNext(head), alike.sort(inOrder)[0]);
        }
        naive.sort(inOrder);
        assert.equal(queue.heads()[0], naive[0], `seed ${seed}, step ${step}`);
        assert.equal(queue.count, naive.length);
        assert.equal(
          queue.bytes,
          naive.reduce((sum, { bytes }) => sum + bytes, 0),
        );
        for (const entry of naive.slice(0, 3)) assert.equal(queue.find(entry.router, entry.job), entry);
      }
      assert.deepEqual(drain(queue), naive);
      assert.deepEqual([queue.count, queue.bytes, queue.heads()[0]], [0, 0, undefined]);
    }
  });

  test('entries that left leave no memory behind', () => {
    const queue = new LaneQueue();
    const head = waiting({ deadline: 0 });
    queue.add(head);
    const many = Array.from({ length: 1000 }, () => waiting());
    for (const entry of many) queue.add(entry);
    const heap = head.strand?.heap as readonly Waiting[];
    for (const entry of many) queue.remove(entry);
    assert.ok(heap.length < 200, `${heap.length} places for one entry`);
    assert.equal(queue.heads()[0], head);
  });

  test('as numbers, agrees with a sorted list while it is filled and worked off again and again', () => {
    const random = new Random(7);
    const backlog = new Backlog();
    let naive: { readonly priority: number; readonly deadline: number; readonly rows: number }[] = [];
    for (let round = 0; round < 6; round++) {
      for (let count = 0; count < 500; count++) {
        const { priority, deadline, rows } = waiting({
          priority: random.whole(0, 1),
          deadline: random.whole(0, 300),
          rows: random.whole(1, 4),
        });
        backlog.add(priority, deadline, rows);
        naive.push({ priority, deadline, rows });
      }
      naive.sort((one, other) => one.priority - other.priority || one.deadline - other.deadline);
      for (const at of [0, 150, 300]) {
        const before = naive.filter(
          ({ priority, deadline }) => priority < 1 || (priority === 1 && deadline <= at),
        );
        assert.equal(backlog.ahead(1, at), sumOfRows(before));
      }
      backlog.rewind();
      for (const { deadline, rows } of naive) {
        assert.equal(backlog.deadlineHere, deadline);
        backlog.skip(rows);
      }
      // Every other time nobody is left.
      const left = round % 2 === 0 ? 0 : 100;
      while (naive.length > left) {
        const gone = random.pick(naive);
        backlog.remove(gone.priority, gone.deadline, gone.rows);
        naive = naive.filter((one) => one !== gone);
      }
      assert.equal(backlog.rows, sumOfRows(naive));
      assert.equal(backlog.headDeadline, naive[0]?.deadline ?? Number.POSITIVE_INFINITY);
    }
  });
});

function sumOfRows(jobs: readonly { readonly rows: number }[]): number {
  return jobs.reduce((sum, { rows }) => sum + rows, 0);
}

function costOf(rowMs: number): CostTable {
  const cost = new CostTable();
  if (rowMs > 0) cost.seed([[1, rowMs]]);
  return cost;
}

describe('a batch', () => {
  function form(
    entries: readonly Waiting[],
    rowsMax: number,
    options: { now?: number; rowMs?: number; fastestMs?: number; comingMs?: number } = {},
  ) {
    const queue = new LaneQueue();
    for (const entry of entries) queue.add(entry);
    const head = queue.heads()[0] as Waiting;
    const now = options.now ?? 0;
    const cost = costOf(options.rowMs ?? 0);
    const fastest = costOf(options.fastestMs ?? options.rowMs ?? 0);
    const coming = options.comingMs === undefined ? undefined : costOf(options.comingMs);
    const seat = { worker: 'worker-1', rowsMax, cost, beginsAt: now, fastest, coming };
    const formed = formBatch(queue, head, seat, now);
    return { ...formed, left: drain(queue) };
  }

  test('takes the most urgent up to the rows that the model takes', () => {
    const entries = [5, 3, 4, 1, 2].map((deadline) => waiting({ deadline: deadline * 100, rows: 2 }));
    const { members, rows, left } = form(entries, 6);
    assert.deepEqual(
      members.map(({ deadline }) => deadline),
      [100, 200, 300],
    );
    assert.equal(rows, 6);
    assert.deepEqual(
      left.map(({ deadline }) => deadline),
      [400, 500],
    );
  });

  test('ends where the next does not fit, and takes nobody out of turn', () => {
    const entries = [waiting({ rows: 3 }), waiting({ rows: 4 }), waiting({ rows: 1 })];
    assert.deepEqual(form(entries, 6).members, entries.slice(0, 1));
  });

  test('a job larger than a batch goes by itself', () => {
    const large = waiting({ rows: 50, deadline: 1 });
    assert.deepEqual(form([large, waiting()], 8).members, [large]);
  });

  test('mixes neither shapes nor routers', () => {
    const head = waiting({ deadline: 1 });
    const others = [waiting({ shapeKey: 'two' }), waiting({ router: 'router-2' })];
    const mate = waiting({ deadline: 2000 });
    const { members, left } = form([head, ...others, mate], 8);
    assert.deepEqual(members, [head, mate]);
    assert.deepEqual(left, others);
  });

  for (const company of ['alone', 'solo'] as const) {
    test(`who asks to be ${company} has no mates, at the head or behind it`, () => {
      const lonely = waiting({ company, deadline: 1 });
      const mate = waiting();
      assert.deepEqual(form([lonely, mate], 8).members, [lonely]);
      const behind = waiting({ company, deadline: 2000 });
      assert.deepEqual(form([mate, behind], 8).members, [mate]);
    });
  }

  test('who can hardly be answered in time is left out for the sake of the others', () => {
    const [late, just] = [10, 11].map((deadline) => waiting({ deadline }));
    const { members, left } = form([late, just] as Waiting[], 8, { now: 8, rowMs: 2 });
    assert.deepEqual(members, [just]);
    assert.deepEqual(left, []);
  });

  test('who would be late here but not elsewhere waits on', () => {
    const [tight, easy] = [11, 30].map((deadline) => waiting({ deadline }));
    const { members, left } = form([tight, easy] as Waiting[], 8, { now: 8, rowMs: 10, fastestMs: 1 });
    assert.deepEqual(members, [easy]);
    assert.deepEqual(left, [tight]);
  });

  test('who would be late here but not where its model is being loaded waits on, also alone', () => {
    const late = waiting({ deadline: 11 });
    assert.deepEqual(form([late], 8, { now: 8, rowMs: 10, comingMs: 1 }).left, [late]);
    assert.deepEqual(form([late], 8, { now: 8, rowMs: 10, comingMs: 4 }).left, [], 'late there too');
    assert.deepEqual(form([late], 8, { now: 8, rowMs: 10 }).left, [], 'nobody loads it');
  });

  test('who has a chance with one that may be long in coming is kept, but not so many that those behind must wait', () => {
    const late = Array.from({ length: 100 }, () => waiting({ deadline: 11 }));
    const easy = waiting({ deadline: 30 });
    const { members, left } = form([...late, easy], 8, { now: 8, rowMs: 10, comingMs: 1 });
    assert.deepEqual(members, [easy]);
    assert.equal(left.length, 16);
  });

  test('where the head is passed over, whoever is first instead is not made late by those behind', () => {
    const head = waiting({ deadline: 20, rows: 3 });
    const [tight, easy] = [21, 90].map((deadline) => waiting({ deadline }));
    const { members, left } = form([head, tight, easy] as Waiting[], 3, { now: 8, rowMs: 10, fastestMs: 1 });
    assert.deepEqual(members, [tight]);
    assert.deepEqual(left, [head, easy]);
  });

  test('who is due before a head of higher priority is not made late by going with it', () => {
    const head = waiting({ deadline: 90, priority: 0 });
    const [tight, easy] = [24, 99].map((deadline) => waiting({ deadline, priority: 1 }));
    const { members } = form([head, tight, easy] as Waiting[], 8, { now: 8, rowMs: 10 });
    assert.deepEqual(members, [head], 'three take too long for it, and two as well');
    const fit = [waiting({ deadline: 90 }), waiting({ deadline: 26, priority: 1 }), waiting({ priority: 1 })];
    assert.deepEqual(form(fit, 8, { now: 8, rowMs: 10 }).members, fit.slice(0, 2));
  });

  test('who waits alone is given every chance', () => {
    const lucky = waiting({ deadline: 9.7 });
    assert.deepEqual(form([lucky], 8, { now: 8, rowMs: 2 }).members, [lucky]);
    assert.deepEqual(form([waiting({ deadline: 9.5 })], 8, { now: 8, rowMs: 2 }).members, []);
  });

  test('may be nobody at all', () => {
    const { members, rows } = form([waiting({ deadline: 5 })], 8, { now: 5 });
    assert.deepEqual([members, rows], [[], 0]);
  });

  test('who keeps away from this worker is not taken along, but may come when all have to', () => {
    const head = waiting({ deadline: 1 });
    const away = waiting({ deadline: 2, avoid: 'worker-1' });
    assert.deepEqual(form([head, away], 8).members, [head]);
    const must = waiting({ deadline: 1, avoid: 'worker-1' });
    assert.deepEqual(form([must, away], 8).members, [must, away]);
  });
});
