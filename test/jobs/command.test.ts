// `node runtime jobs` and the path that it asks: what is printed of jobs, and what a person is told who asks wrongly.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { ConfigError } from '../../runtime/config/load.js';
import type { JobView } from '../../runtime/doors/jobs.js';
import { jobsHelp, jobsText } from '../../runtime/jobs/command.js';
import { openRest, type RestScene } from '../doors/rest-client.js';

let scene: RestScene;
before(async () => {
  scene = await openRest();
});
after(() => scene.stop());
beforeEach(() => {
  scene.engine.views = [good, refused];
  scene.engine.queries.length = 0;
});

const good: JobView = {
  id: 'router-1/2a',
  model: 'digits',
  version: '1',
  rows: 1,
  bytes: 256,
  priority: 2,
  budgetMs: 50,
  ending: 'completed',
  code: null,
  message: '',
  retryAfterMs: 0,
  endedAt: '2030-01-02T03:04:05.678Z',
  times: { queueMs: 1.5, computeInputMs: 0.25, computeMs: 7, computeOutputMs: 0.1, batchRows: 4 },
  path: [
    { state: 'queued', afterMs: 0, why: '' },
    { state: 'assigned', afterMs: 1.5, why: 'worker-1.k3f9x2' },
    { state: 'completed', afterMs: 123.456, why: '' },
  ],
};
const refused: JobView = {
  ...good,
  id: 'router-1/2b',
  ending: 'rejected',
  code: 'OVERLOADED',
  message: 'an answer would take about 80 ms and its deadline is in 50 ms',
  retryAfterMs: 30,
  times: null,
  path: [
    { state: 'queued', afterMs: 0, why: '' },
    {
      state: 'rejected',
      afterMs: 0.31,
      why: 'OVERLOADED: an answer would take about 80 ms and its deadline is in 50 ms',
    },
  ],
};

function jobs(...args: string[]): Promise<string> {
  return jobsText([...args, '--http-port', String(scene.port)], {});
}

test('the list has a line for each, and the reason and path of what did not end well', async () => {
  assert.deepEqual((await jobs()).split('\n'), [
    'JOB          MODEL     ENDED                AFTER    AT',
    'router-1/2a  digits:1  completed            123 ms   2030-01-02T03:04:05.678Z',
    'router-1/2b  digits:1  rejected OVERLOADED  0.31 ms  2030-01-02T03:04:05.678Z',
    '    queued 0 ms > rejected 0.31 ms (OVERLOADED: an answer would take about 80 ms and its deadline is in 50 ms)',
    '',
    '2 that ended. `node runtime jobs show ID` tells the story of one.',
  ]);
  assert.deepEqual(scene.engine.queries, [{ last: 20, failed: false, model: '' }]);
  scene.engine.views = [];
  assert.equal(await jobs('--last=7', '--failed', '--model', 'digits:1'), 'router-1 remembers no such job.');
  assert.deepEqual(scene.engine.queries.at(-1), { last: 7, failed: true, model: 'digits:1' });
});

test('the story of one has what it asked for, how it ended, and every step', async () => {
  assert.deepEqual((await jobs('show', 'router-1/2b')).split('\n'), [
    'router-1/2b  rejected OVERLOADED after 0.31 ms',
    '',
    '  model     digits:1 (1 row, 256 bytes)',
    '  asked     an answer within 50 ms, priority 2',
    '  ended     2030-01-02T03:04:05.678Z',
    '  because   an answer would take about 80 ms and its deadline is in 50 ms',
    '  try again after 30 ms',
    '',
    '     0 ms  queued',
    '  0.31 ms  rejected  OVERLOADED: an answer would take about 80 ms and its deadline is in 50 ms',
  ]);
  const told = await jobs('show', '2a');
  assert.match(
    told,
    /1.5 ms until a worker had it, then 0.25 ms input, 7 ms compute, 0.1 ms output; in a batch of 4/,
  );
  assert.match(told, / {2}1.5 ms {2}assigned {3}worker-1.k3f9x2$/m);
});

test('a job that lives says where it is', async () => {
  const path = good.path.slice(0, 2);
  scene.engine.views = [{ ...good, ending: null, endedAt: null, times: null, path }];
  assert.match(await jobs(), /^router-1\/2a +digits:1 +lives: assigned +1.5 ms$/m);
  assert.match(await jobs('show', '2a'), /^router-1\/2a {2}lives: assigned after 1.5 ms$/m);
});

test('for programs it is JSON', async () => {
  assert.deepEqual(JSON.parse(await jobs('--json')), {
    router: 'router-1',
    ended: [good, refused],
    live: [],
  });
  assert.deepEqual(JSON.parse(await jobs('show', 'router-1/2b', '--json')), refused);
});

test('wrong use is named with what is allowed', async () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['--lst', '3'], /argument --lst of jobs is not known; did you mean --last\?/],
    [['--colour'], /argument --colour of jobs is not known; known are --last, --failed, --model, --json/],
    [['--last', '0'], /--last is "0"; allowed is a whole number from 1 to 10000/],
    [['--last', 'all'], /--last is "all"; allowed/],
    [['--last'], /--last needs a value: --last N/],
    [['--failed=yes'], /--failed takes no value/],
    [['--json', '--json'], /--json is given twice/],
    [['--http-port', '99999'], /--http-port is "99999"; allowed is a whole number from 1 to 65535/],
    [['--url', 'nonsense'], /--url is "nonsense"; allowed is such as http/],
    [['--url', 'ftp://x'], /--url is "ftp:\/\/x"/],
    [['--url', 'http://127.0.0.1:1', '--http-port', '1'], /say the same/],
    [['list'], /jobs list is not known; there are `jobs` with flags and `jobs show ID`/],
    [['show'], /jobs show needs the id of a job/],
    [['show', '1', '2'], /takes one id; 2 is one too many/],
    [['show', '1', '--failed'], /--failed is for the list of jobs/],
  ];
  for (const [args, says] of wrong) {
    await assert.rejects(
      jobsText(args, {}),
      (fault: Error) => fault instanceof ConfigError && says.test(fault.message),
    );
  }
  assert.equal(await jobsText(['show', '--help'], {}), jobsHelp);
  assert.equal(await jobsText(['-h'], {}), jobsHelp);
});

test('a job that is not there is told apart from a wrong id and from one of another router', async () => {
  await assert.rejects(jobs('show', '2c'), /job "2c" is not known here: it never was, or too many others/);
  await assert.rejects(jobs('show', 'router-9.x/2a'), /is of the router router-9.x; here is router-1/);
  for (const id of ['What?', 'a/b/c']) {
    await assert.rejects(jobs('show', id), {
      message: `no job has the id ${id}: ids look like router/number, such as node.k3f9x2/2a`,
    });
  }
  const { status, json } = await scene.get('/v2/signalbox/jobs/What%21');
  assert.equal(status, 400);
  assert.match(json.error, /"What!" is no id of a job; wanted is one as errors and logs/);
});

test('a model that the node does not have has no jobs, and that is said', async () => {
  await assert.rejects(
    jobs('--model', 'nosuch'),
    /there is no model "nosuch" available; the models are "digits"/,
  );
  await assert.rejects(jobs('--model', 'digits:9'), /model "digits" has no version "9" available/);
  assert.match(await jobs('--model', 'digits'), /router-1\/2a/);
});

test('a port that speaks something else than HTTP is told from one where nobody is', async () => {
  for (const other of [createHttp2Server(), createNetServer((socket) => socket.destroy())]) {
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const port = String((other.address() as AddressInfo).port);
    await assert.rejects(jobsText(['--http-port', port], {}), {
      message: `something answers at http://127.0.0.1:${port} but does not speak HTTP: is it the gRPC port?`,
    });
    await new Promise((resolve) => other.close(resolve));
  }
});

test('the path itself says what it can be asked', async () => {
  for (const [query, says] of [
    ['?last=0', /"last" is "0", wanted is a whole number from 1 to 10000/],
    ['?failed=yes', /"failed" is "yes", wanted is 0 or 1/],
    ['?lost=1', /"lost" is nothing that jobs can be asked for by; there are last, failed, model/],
  ] as const) {
    const { status, json } = await scene.get(`/v2/signalbox/jobs${query}`);
    assert.deepEqual([status, says.test(json.error)], [400, true], json.error);
  }
  assert.equal((await scene.get('/v2/signalbox/jobs/router-1/zz')).status, 404);
  assert.equal((await scene.get('/v2/signalbox/jobs/a/b/c')).status, 404);
  assert.equal((await scene.get('/v2/signalbox')).status, 404);
  assert.equal((await scene.post('/v2/signalbox/jobs', '')).status, 405);
});

test('where no node answers, or something else does, that is said with what to do', async () => {
  const other = createServer((_, response) => response.end('<html>'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  await assert.rejects(jobsText(['--url', `${url}/`], {}), /is no node of Signalbox: it sent no JSON/);
  await new Promise((resolve) => other.close(resolve));
  const nobody =
    /nobody answers at http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\): is a node .*Start one with `npm start`/;
  await assert.rejects(jobsText(['--url', url], {}), nobody);
  const port = String(new URL(url).port);
  await assert.rejects(jobsText([], { SIGNALBOX_HTTP_PORT: port }), (fault: Error) =>
    fault.message.includes(url),
  );
  assert.match(await jobsText([], { SIGNALBOX_HTTP_PORT: String(scene.port) }), /router-1\/2a/);
  await assert.rejects(jobsText([], { SIGNALBOX_HTTP_PORT: '0' }), /variable SIGNALBOX_HTTP_PORT is "0"/);
});
