// What the REST door tells of the server and its models, and what it says to wrong paths and methods.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { openRest, type RestScene } from './rest-client.js';
import { models } from './stand-in.js';

let scene: RestScene;
before(async () => {
  scene = await openRest({ serverVersion: '9.9.9' });
});
after(() => scene.stop());
beforeEach(() => {
  scene.engine.states.clear();
  scene.engine.coming.clear();
  scene.engine.isReady = true;
});

test('the server says who it is', async () => {
  const { status, json } = await scene.get('/v2');
  assert.equal(status, 200);
  assert.deepEqual([json.name, json.version], ['signalbox', '9.9.9']);
  assert.equal((await scene.get('/v2/')).status, 200);
});

test('live and ready', async () => {
  assert.equal((await scene.get('/v2/health/live')).status, 200);
  assert.equal((await scene.get('/v2/health/ready')).status, 200);
  scene.engine.isReady = false;
  const { status, json } = await scene.get('/v2/health/ready');
  assert.equal(status, 503);
  assert.deepEqual(json, { error: 'the server is not ready: no worker is ready' });
});

test('a list of members that is not kept makes nobody unready, and is told of', async () => {
  const { engine } = scene;
  const live = engine.view;
  assert.deepEqual((await scene.get('/v2/health/ready')).json, { ready: true });
  engine.view = { ...live, state: 'frozen', reason: 'NATS is away' };
  const { status, json } = await scene.get('/v2/health/ready');
  assert.deepEqual([status, json], [200, { ready: true, membership: 'frozen', reason: 'NATS is away' }]);
  engine.isReady = false;
  assert.match(
    (await scene.get('/v2/health/ready')).json.error,
    /no worker is ready; its list of members is frozen: NATS/,
  );
  assert.deepEqual((await scene.get('/v2/signalbox/cluster')).json, engine.view);
  assert.equal((await scene.get('/v2/signalbox/cluster/x')).status, 404);
  engine.view = live;
});

test('metadata, configuration, statistics: numbers, never texts', async () => {
  const metadata = await scene.get('/v2/models/digits');
  assert.deepEqual(metadata.json.inputs, [{ name: 'image', datatype: 'FP32', shape: [-1, 64] }]);
  assert.deepEqual((await scene.get('/v2/models/twice/versions/1')).json.versions, ['1', '2']);
  const config = await scene.get('/v2/models/digits/versions/1/config');
  assert.deepEqual(config.json.input, [{ name: 'image', data_type: 'TYPE_FP32', dims: [64] }]);
  assert.equal(config.json.max_batch_size, 32);
  assert.deepEqual(config.json.dynamic_batching.preferred_batch_size, [8, 16]);
  assert.equal(config.json.dynamic_batching.max_queue_delay_microseconds, 2500);
  assert.equal(config.json.parameters.batching_policy.string_value, 'deferred');
  assert.equal(config.json.parameters.batching_why.string_value, 'two workers and a large fixed cost');
  const { json } = await scene.get('/v2/models/digits/stats');
  assert.deepEqual(json.model_stats[0].inference_stats.queue, { count: 3, ns: 1_500_000 });
  assert.equal((await scene.get('/v2/models/stats')).json.model_stats.length, models.length);
});

test('whether a model is ready', async () => {
  assert.deepEqual((await scene.get('/v2/models/digits/ready')).json, { name: 'digits', ready: true });
  assert.equal((await scene.get('/v2/models/twice/versions/2/ready')).status, 200);
  scene.engine.states.set('digits', 'LOADING');
  const loading = await scene.get('/v2/models/digits/ready');
  assert.equal(loading.status, 503);
  assert.match(loading.json.error, /model "digits" is LOADING: no worker has it/);
  const broken = await scene.get('/v2/models/broken/ready');
  assert.deepEqual([broken.status, /no ONNX file/.test(broken.json.error)], [503, true]);
  assert.equal((await scene.get('/v2/models/nope/ready')).status, 404);
});

test('of a model whose first version is on its way no version is missing: it says how far that is and when to ask', async () => {
  scene.engine.coming.add('digits');
  scene.engine.states.set('digits', 'LOADING');
  const error = 'model "digits" version 1 is LOADING: no worker has it';
  for (const asked of [
    await scene.get('/v2/models/digits'),
    await scene.get('/v2/models/digits/ready'),
    await scene.post('/v2/models/digits/infer', '{"inputs":[]}'),
    await scene.post('/v2/models/digits/versions/1/infer', '{"inputs":[]}'),
  ]) {
    const { status, json, headers } = asked;
    assert.deepEqual([status, json.error, headers.get('retry-after-ms')], [503, error, '1000']);
  }
});

test('the index is a bare list with states and reasons', async () => {
  scene.engine.states.set('digits', 'UNLOADING');
  const { status, json } = await scene.post('/v2/repository/index', '');
  assert.equal(status, 200);
  assert.ok(Array.isArray(json));
  assert.deepEqual(json.at(-1), {
    name: 'broken',
    version: '1',
    state: 'UNAVAILABLE',
    reason: 'model.onnx is no ONNX file',
  });
  const ready = await scene.post('/v2/repository/index', '{"ready":true}');
  assert.equal(ready.json.length, json.length - 2);
  assert.equal((await scene.post('/v2/repository/index', '{')).status, 400);
});

test('models are loaded and unloaded by name', async () => {
  scene.engine.acts.length = 0;
  for (const action of ['load', 'unload']) {
    const path = `/v2/repository/models/digits/${action}`;
    for (const body of ['', '{}', '{"parameters":{}}'])
      assert.equal((await scene.post(path, body)).status, 200);
    assert.equal((await scene.post(path, '{')).status, 400);
    const strange = await scene.post(path, '{"parameters":{"config":"{}"}}');
    assert.equal(strange.status, 501);
  }
  assert.deepEqual(scene.engine.acts, [...Array(3).fill('load digits'), ...Array(3).fill('unload digits')]);
});

test('what changes the node is not done for web pages of elsewhere, and is for programs and its own', async () => {
  scene.engine.acts.length = 0;
  const path = '/v2/repository/models/digits/unload';
  const own = `http://127.0.0.1:${scene.port}`;
  for (const headers of [
    { origin: 'https://elsewhere.example' },
    { origin: 'null' },
    { origin: own, 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site' },
  ]) {
    const { status, json } = await scene.post(path, '{}', headers);
    assert.equal(status, 403);
    assert.match(json.error, /^a web page of .* may not ask this/);
  }
  assert.deepEqual(scene.engine.acts, []);
  for (const headers of [{}, { origin: own }, { origin: own, 'sec-fetch-site': 'same-origin' }])
    assert.equal((await scene.post(path, '{}', headers)).status, 200);
});

const elsewhere: readonly [string, string, number, RegExp][] = [
  ['GET', '/', 404, /nothing is served under "\/"; the API begins at \/v2/],
  ['GET', '/v2/nope', 404, /nothing is served/],
  ['GET', '/v2/models', 404, /nothing is served/],
  ['GET', '/v2/models/digits/nope', 404, /nothing is served/],
  ['GET', '/v2/models/digits/versions', 404, /nothing is served/],
  ['GET', '/v2/models/digits/versions/1/ready/more', 404, /nothing is served/],
  ['GET', '/v2/models/nope', 404, /no model "nope" available; the models are "digits"/],
  ['GET', '/v2/models/digits/versions/7', 404, /"digits" has no version "7"/],
  ['GET', '/v2/models/n%C3%B6pe', 404, /no model "nöpe"/],
  ['GET', '/v2/models/%ff', 400, /% that is followed by no UTF-8/],
  ['POST', '/v2/models/nope/infer', 404, /no model "nope"/],
  ['POST', '/v2/models/broken/infer', 503, /"broken" version 1 can't be served: model.onnx is no ONNX file/],
  ['GET', '/v2/models/digits/infer', 405, /takes POST, not GET/],
  ['POST', '/v2/health/ready', 405, /takes GET, not POST/],
  ['DELETE', '/v2/models/digits', 405, /takes GET, not DELETE/],
  ['POST', '/v2/repository/models/nope/load', 404, /no model nope/],
  ['POST', '/v2/repository/models/nope/unload', 404, /no model nope/],
  ['GET', '/v2/repository/models/digits/load', 405, /takes POST, not GET/],
  ['POST', '/v2/systemsharedmemory/region/a/register', 501, /does not have shared memory/],
  ['GET', '/v2/trace/setting', 501, /does not have trace/],
];

for (const [method, path, status, says] of elsewhere) {
  test(`${method} ${path} is ${status}`, async () => {
    const body = method === 'POST' ? '{"inputs":[]}' : null;
    const response = await fetch(`http://127.0.0.1:${scene.port}${path}`, { method, body });
    const json = (await response.json()) as { error: string };
    assert.equal(response.status, status, json.error);
    assert.deepEqual(Object.keys(json), ['error']);
    assert.match(json.error, says);
    if (status === 405) assert.match(String(response.headers.get('allow')), /^(GET|POST)$/);
  });
}

test('regions of shared memory are an empty list, and a HEAD has no body', async () => {
  assert.deepEqual((await scene.get('/v2/systemsharedmemory/status')).json, []);
  const head = await fetch(`http://127.0.0.1:${scene.port}/v2`, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
});
