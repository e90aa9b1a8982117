// The pipeline core: steps of a user's module in real threads, one piece or many, and what ends a request.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { bytes, type Scene, scene } from './bench.js';

const steps = `
export const double = (tensors) => tensors.map((t) => ({ ...t, data: t.data.map((v) => v * 2) }));
export const each = {
  async *apply([tensor], request) {
    request.kept.set('made', 0);
    for (const value of tensor.data) {
      request.kept.set('made', request.kept.get('made') + 1);
      yield [{ ...tensor, shape: [1], data: Uint8Array.of(value) }];
    }
  },
};
export const made = {
  async join(pieces, request) {
    const values = [];
    for await (const [piece] of pieces) values.push(piece.data[0]);
    values.push(request.kept.get('made'));
    return [{ name: 'y', datatype: 'UINT8', shape: [values.length], data: Uint8Array.from(values) }];
  },
};
export const plus = { open: ({ by = 1 }) => ({ apply: ([t]) => [{ ...t, data: t.data.map((v) => v + by) }] }) };
export const asked = (tensors, request) =>
  tensors.map((t) => ({ ...t, data: t.data.map((v) => v + Number(request.parameters.get('by'))) }));
export const refuse = () => {
  throw Object.assign(new Error('the value is odd'), { code: 'INPUT_INVALID' });
};
export const stumble = () => { throw new TypeError('no such thing'); };
export const wrong = ([t]) => [{ ...t, shape: [99] }];
export const slow = async (tensors, { parameters }) => {
  await new Promise((resolve) => setTimeout(resolve, Number(parameters.get('ms'))));
  return tensors;
};
export const endless = () => { for (;;); };
export const open = () => new Promise(() => {});
export const crash = () => { setImmediate(() => { throw new Error('out of the blue'); }); return new Promise(() => {}); };
`;

const ports =
  'takes: [{ name: x, datatype: UINT8, shape: [-1] }]\ngives: [{ name: y, datatype: UINT8, shape: [-1] }]\n';
const running: Scene[] = [];

async function begin(own: Parameters<typeof scene>[1] = {}): Promise<Scene> {
  const made = await scene(steps, own);
  running.push(made);
  return made;
}

after(async () => {
  await Promise.all(running.map((made) => made.end()));
});

function listed(key: 'before' | 'after', ...names: string[]): string {
  return `${key}: [${names.map((name) => (name.includes('{') ? name : `./steps.js#${name}`)).join(', ')}]\n`;
}

test('a request passes its steps in order, with options and parameters, and each piece is a job', async () => {
  const { declare, ask, played } = await begin();
  const pipeline = declare(
    `${ports}${listed('before', 'double', '{ ./steps.js#plus: { by: 10 } }', 'each')}${listed('after', 'asked', 'made')}`,
  );
  const { answer } = ask(pipeline, [bytes('x', 1, 2, 3)], { parameters: { by: 100 } });
  const { end, outputs, path } = await answer;
  assert.equal(end.ending, 'completed', end.message);
  assert.deepEqual([...(outputs[0]?.data ?? [])], [112, 114, 116, 3]);
  assert.equal(played.jobs.length, 3);
  assert.deepEqual(
    path().map(({ state }) => state),
    ['waiting', 'before', 'running', 'completed'],
  );
});

test('pieces are made when the model has room for them, and without a join their rows are put together', async () => {
  const { declare, ask, played } = await begin();
  played.isHolding = true;
  const pipeline = declare(
    `${ports}jobsInFlightMax: 2\n${listed('before', 'each')}${listed('after', 'double')}`,
  );
  const { answer } = ask(pipeline, [bytes('x', 1, 2, 3, 4, 5)]);
  await played.has(2);
  // Out of order: the answer is in order all the same.
  played.jobs[1]?.finish();
  played.jobs[0]?.finish();
  for (let at = 2; at < 5; at++) {
    await played.has(at + 1);
    assert.ok(played.jobs.length <= at + 2, `${played.jobs.length} jobs with ${at} answered`);
    played.jobs[at]?.finish();
  }
  const { outputs } = await answer;
  assert.deepEqual(outputs[0]?.shape, [5]);
  assert.deepEqual([...(outputs[0]?.data ?? [])], [2, 4, 6, 8, 10]);
});

test('what a step throws ends its request with a code, a sentence and the name of the step', async () => {
  const { declare, ask } = await begin();
  const ends = async (step: string): Promise<string> => {
    const { end } = await ask(declare(ports + listed('before', step) + listed('after', 'double')), [
      bytes('x', 1),
    ]).answer;
    return `${end.ending} ${end.code}: ${end.message}`;
  };
  assert.equal(
    await ends('refuse'),
    'failed INPUT_INVALID: model "tried": ./steps.js#refuse: the value is odd',
  );
  assert.equal(
    await ends('stumble'),
    'failed MODEL_FAILED: model "tried": ./steps.js#stumble: no such thing',
  );
  assert.match(
    await ends('wrong'),
    /MODEL_FAILED.*#wrong: it gave x of shape \[99\] with 1 bytes, wanted are 99/,
  );
  assert.match(await ends('absent'), /MODEL_UNAVAILABLE.*exports no absent; it exports .*double/);
});

test("a job's failure, a deadline and a cancel end the request, and with it its other jobs", async () => {
  const { declare, ask, played } = await begin();
  played.isHolding = true;
  const pipeline = declare(`${ports}${listed('before', 'each')}${listed('after', 'double')}`);
  const failing = ask(pipeline, [bytes('x', 1, 2)]);
  await played.has(2);
  played.jobs[1]?.finish([], { ending: 'failed', code: 'WORKERS_LOST', message: 'all gone' });
  const failed = (await failing.answer).end;
  assert.equal(failed.code, 'WORKERS_LOST');
  assert.match(failed.message, /model "tried" \(job 2 of 2 so far, r\/1\): all gone/);
  assert.notEqual(played.jobs[0]?.cancelled, '');

  const cancelling = ask(pipeline, [bytes('x', 1)], { priority: 0 });
  await played.has(3);
  assert.equal(played.jobs[2]?.priority, 0);
  cancelling.cancel('the client went away');
  assert.equal((await cancelling.answer).end.ending, 'cancelled');
  assert.notEqual(played.jobs[2]?.cancelled, '');

  const late = ask(pipeline, [bytes('x', 1, 2)], { budgetMs: 300 });
  await played.has(5);
  const expired = (await late.answer).end;
  assert.equal(`${expired.ending} ${expired.code}`, 'expired DEADLINE_EXCEEDED');
  assert.match(expired.message, /the deadline of 300 ms passed while model "tried" waited for 2 of 2 jobs/);
  assert.ok((played.jobs[4]?.leftMs ?? 0) < 300);
  assert.notEqual(played.jobs[4]?.cancelled, '');
});

test('so many requests are in the steps at a time; the others wait, the urgent first, and no more than may', async () => {
  const { declare, ask, played } = await begin({ queueDepthMax: 2 });
  played.isHolding = true;
  const pipeline = declare(
    `${ports}requestsInFlightMax: 1\n${listed('before', 'double')}${listed('after', 'double')}`,
  );
  const first = ask(pipeline, [bytes('x', 1)]);
  await played.has(1);
  const second = ask(pipeline, [bytes('x', 2)]);
  const urgent = ask(pipeline, [bytes('x', 3)], { priority: 0 });
  const refused = (await ask(pipeline, [bytes('x', 4)]).answer).end;
  assert.equal(refused.code, 'QUEUE_FULL');
  assert.match(refused.message, /wait 2 requests.*pipelineQueueDepthMax/);
  played.jobs[0]?.finish();
  await first.answer;
  await played.has(2);
  assert.deepEqual([...(played.jobs[1]?.inputs[0]?.data ?? [])], [6]);
  second.cancel('no more');
  assert.equal((await second.answer).end.ending, 'cancelled');
  played.jobs[1]?.finish();
  assert.equal((await urgent.answer).end.ending, 'completed');
});

test('a thread that hangs or breaks down takes its requests with it, and the next one has another', async () => {
  const { declare, ask } = await begin({ hungMs: 100, threadCount: 1 });
  const make = (step: string) => declare(ports + listed('before', step) + listed('after', 'double'));
  const hanging = (await ask(make('endless'), [bytes('x', 1)], { budgetMs: 300 }).answer).end;
  assert.equal(hanging.code, 'DEADLINE_EXCEEDED');
  assert.match(hanging.message, /was in its steps before the model \(\.\/steps\.js#endless\)/);
  assert.equal((await ask(make('double'), [bytes('x', 1)]).answer).end.ending, 'completed');
  const crashed = (await ask(make('crash'), [bytes('x', 1)]).answer).end;
  assert.match(`${crashed.code} ${crashed.message}`, /^MODEL_FAILED .*broke down: out of the blue/);
  assert.equal((await ask(make('double'), [bytes('x', 1)]).answer).end.ending, 'completed');
});

test('nobody waits behind a step that does not end, nor ends with it; who had begun beside it may try again', async () => {
  const { declare, ask, played } = await begin({ hungMs: 1000, threadCount: 1 });
  const make = (step: string) => declare(ports + listed('before', step) + listed('after', 'double'));
  played.isHolding = true;
  const beside = ask(make('double'), [bytes('x', 1)]);
  await played.has(1);
  // It ends first, and is not the one that is stuck.
  const brief = ask(make('double'), [bytes('x', 1)], { budgetMs: 200 });
  await played.has(2);
  const stuckBehind = declare(ports + listed('before', 'double') + listed('after', 'endless'));
  const stuck = ask(stuckBehind, [bytes('x', 1)], { budgetMs: 2500 });
  await played.has(3);
  played.isHolding = false;
  played.jobs[2]?.finish();
  const behind = Array.from({ length: 3 }, () => ask(make('double'), [bytes('x', 1)]));
  let isStuckOver = false;
  void stuck.answer.then(() => {
    isStuckOver = true;
  });
  assert.equal((await brief.answer).end.code, 'DEADLINE_EXCEEDED');
  for (const { answer } of behind) assert.equal((await answer).end.ending, 'completed');
  assert.equal(isStuckOver, false);
  assert.equal((await stuck.answer).end.code, 'DEADLINE_EXCEEDED');
  const { code, message } = (await beside.answer).end;
  assert.equal(code, 'WORKERS_LOST');
  assert.match(message, /a step of model "tried" still ran \d000 ms after its request had ended$/);
});

test('nobody waits behind a step that never ends in a thread that has just been started', async () => {
  const { declare, ask } = await begin({ hungMs: 1000, threadCount: 1 });
  const make = (step: string) => declare(ports + listed('before', step) + listed('after', 'double'));
  const stuck = ask(make('endless'), [bytes('x', 1)], { budgetMs: 3000 });
  const behind = Array.from({ length: 3 }, () => ask(make('double'), [bytes('x', 1)]));
  for (const { answer } of behind) assert.equal((await answer).end.ending, 'completed');
  assert.equal((await stuck.answer).end.code, 'DEADLINE_EXCEEDED');
});

test('a step that never ends but lets others run takes nobody along', async () => {
  const { declare, ask, played } = await begin({ hungMs: 200, threadCount: 1 });
  const make = (step: string) => declare(ports + listed('before', step) + listed('after', 'double'));
  played.isHolding = true;
  const beside = ask(make('double'), [bytes('x', 1)]);
  await played.has(1);
  const one = declare(
    `${ports}requestsInFlightMax: 1\n${listed('before', 'open')}${listed('after', 'double')}`,
  );
  const open = [1, 2].map(() => ask(one, [bytes('x', 1)], { budgetMs: 100 }));
  for (const { answer } of open) assert.equal((await answer).end.code, 'DEADLINE_EXCEEDED');
  played.isHolding = false;
  // Its place is free only when its thread has been given up, and the one beside it may go on there.
  const later = ask(make('double'), [bytes('x', 1)]);
  assert.equal((await later.answer).end.ending, 'completed');
  played.jobs[0]?.finish();
  assert.equal((await beside.answer).end.ending, 'completed');
});

test('a request that ended while its last step before the model ran gives its place free', async () => {
  const { declare, ask, played } = await begin({ threadCount: 1 });
  const pipeline = declare(
    `${ports}requestsInFlightMax: 1\n${listed('before', 'slow')}${listed('after', 'double')}`,
  );
  const first = ask(pipeline, [bytes('x', 1)], { parameters: { ms: 50 }, budgetMs: 20 });
  const second = ask(pipeline, [bytes('x', 2)], { parameters: { ms: 0 } });
  assert.equal((await first.answer).end.code, 'DEADLINE_EXCEEDED');
  assert.equal((await second.answer).end.ending, 'completed');
  assert.equal(played.jobs.length, 1);
});

test('a request asks one model from its first piece to its last, and lets go of it when it ends', async () => {
  const { declare, ask, played } = await begin();
  played.isHolding = true;
  const pipeline = declare(
    `${ports}jobsInFlightMax: 1\n${listed('before', 'each')}${listed('after', 'made')}`,
  );
  const { answer } = ask(pipeline, [bytes('x', 1, 2)]);
  await played.has(1);
  assert.equal(played.held, 1);
  played.jobs[0]?.finish();
  await played.has(2);
  assert.equal(played.held, 1);
  played.jobs[1]?.finish();
  assert.equal((await answer).end.ending, 'completed');
  assert.equal(played.held, 0);
});

test('steps whose files have changed are loaded anew', async () => {
  const { declare, ask, write } = await begin({ threadCount: 1 });
  const config = `${ports}${listed('before', 'value')}${listed('after', 'value')}`;
  const value = (number: number): string =>
    `export const value = ([t]) => [{ ...t, data: t.data.map(() => ${number}) }];`;
  const answered = async (stamp: string): Promise<number | undefined> =>
    (await ask(declare(config, stamp), [bytes('x', 1)]).answer).outputs[0]?.data[0];
  await write(value(1));
  assert.equal(await answered('one'), 1);
  await write(value(2));
  assert.equal(await answered('two'), 2);
});

test('a drain lets end what was taken, and takes nothing new', async () => {
  const { declare, ask, played, pipelines } = await begin();
  played.isHolding = true;
  const pipeline = declare(`${ports}${listed('before', 'double')}${listed('after', 'double')}`);
  const first = ask(pipeline, [bytes('x', 1)]);
  await played.has(1);
  const drained = pipelines.drain(60_000);
  assert.equal((await ask(pipeline, [bytes('x', 1)]).answer).end.code, 'DRAINING');
  played.jobs[0]?.finish();
  assert.equal((await first.answer).end.ending, 'completed');
  await drained;
});
