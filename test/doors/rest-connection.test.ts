// Connections that misbehave: bodies that never come, break off or lie, clients that go away, ports in use, stops.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, beforeEach, test } from 'node:test';
import { pause } from '../../runtime/clock.js';
import { doorDefaults } from '../../runtime/doors/door.js';
import { createRestDoor } from '../../runtime/doors/rest/door.js';
import { bare, openRest, type RestScene } from './rest-client.js';
import { KeptLog, StandIn } from './stand-in.js';

let scene: RestScene;
before(async () => {
  scene = await openRest({ requestBytesMax: 5000, bodyTimeoutMs: 150 });
});
after(() => scene.stop());
beforeEach(() => {
  scene.engine.holding = false;
  scene.engine.held.length = 0;
});

const good = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [2], data: [1, 2] }] });

function head(length: number | string, more = ''): string {
  return `POST /v2/models/twice/infer HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n${more}\r\n`;
}

function assertRefused(answer: string, status: number, says: RegExp): void {
  assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
  const body = answer.slice(answer.indexOf('\r\n\r\n') + 4);
  const { error } = JSON.parse(body) as { error: string };
  assert.match(error, says);
}

test('a body that never comes is not waited for', async () => {
  const { closed } = bare(scene.port, head(100));
  assertRefused(await closed, 408, /0 bytes of 100 of the body came within 150 ms/);
});

test('a body that stops in the middle is not waited for', async () => {
  const { closed } = bare(scene.port, `${head(100)}{"inputs"`);
  assertRefused(await closed, 408, /9 bytes of 100 of the body came within 150 ms/);
});

test('headers that never end are not waited for', async () => {
  const { closed } = bare(scene.port, 'POST /v2 HTTP/1.1\r\nHost: a\r\n');
  assertRefused(await closed, 408, /headers of the request did not arrive in time/);
});

test('a body that ends before its length is refused at once', async () => {
  const { socket, closed } = bare(scene.port, `${head(100)}{"inputs"`);
  socket.end();
  assertRefused(await closed, 400, /ended in the middle of a request/);
});

test('10^15 bytes are refused before one of them is read', async () => {
  const { socket, first } = bare(scene.port, head('1000000000000000'));
  assertRefused(await first, 413, /the body has 1000000000000000 bytes, wanted are at most 5000 bytes/);
  socket.destroy();
});

test('with Expect: 100-continue the refusal comes instead of the permission', async () => {
  const refused = bare(scene.port, head(6000, 'Expect: 100-continue\r\n'));
  assertRefused(await refused.first, 413, /has 6000 bytes/);
  refused.socket.destroy();
  const allowed = bare(scene.port, head(good.length, 'Expect: 100-continue\r\nConnection: close\r\n'));
  assert.match(await allowed.first, /^HTTP\/1.1 100 Continue/);
  allowed.socket.write(good);
  assert.match(await allowed.closed, /HTTP\/1.1 200 OK/);
});

test('a chunked body is cut off at the bound', async () => {
  const chunk = `1000\r\n${'a'.repeat(4096)}\r\n`;
  const text = 'POST /v2/models/twice/infer HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  const { socket, first } = bare(scene.port, text + chunk + chunk);
  assertRefused(await first, 413, /wanted are at most 5000 bytes/);
  socket.destroy();
});

test('a client may read why its large body was refused while it still sends', async () => {
  const { status, json } = await scene.post('/v2/models/twice/infer', Buffer.alloc(3_000_000));
  assert.equal(status, 413);
  assert.match(json.error, /3000000 bytes/);
});

test('what is no HTTP gets an answer in HTTP', async () => {
  const rubbish = bare(scene.port, 'rubbish\r\n\r\n');
  assertRefused(await rubbish.closed, 400, /this is no HTTP request/);
  const long = bare(scene.port, `GET /v2 HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`);
  assertRefused(await long.closed, 431, /the headers have more than 32768 bytes/);
});

test('several requests on one connection, one after the other and at once', async () => {
  const request = `${head(good.length)}${good}`;
  const last = `${head(good.length, 'Connection: close\r\n')}${good}`;
  const { closed } = bare(scene.port, request + request + last);
  assert.equal((await closed).match(/HTTP\/1.1 200 OK/g)?.length, 3);
});

test('a client that goes away cancels its job', async () => {
  scene.engine.holding = true;
  const { socket } = bare(scene.port, `${head(good.length)}${good}`);
  await scene.engine.holds(1);
  socket.destroy();
  await scene.engine.cancels(1);
  assert.deepEqual(scene.engine.held[0]?.cancelled, ['the client went away']);
});

test('nothing is cancelled after a normal end', async () => {
  scene.engine.holding = true;
  const { closed } = bare(scene.port, `${head(good.length, 'Connection: close\r\n')}${good}`);
  await scene.engine.holds(1);
  scene.engine.held[0]?.finish();
  assert.match(await closed, /^HTTP\/1.1 200 OK/);
  assert.deepEqual(scene.engine.held[0]?.cancelled, []);
});

test('a fault of the door itself is told as INTERNAL, without details, and logged', async () => {
  scene.engine.outputs = () => [{ name: 'y', datatype: 'BYTES', shape: [1], data: Buffer.from([1]) }];
  const { status, json, headers } = await scene.post('/v2/models/twice/infer', good);
  scene.engine.outputs = undefined;
  assert.equal(status, 500);
  assert.equal(headers.get('signalbox-code'), 'INTERNAL');
  assert.equal(json.error, 'the server failed on this request; its log has the details');
  assert.ok(scene.log.lines.includes('error door.failed'));
});

test('a port in use is said in a sentence with the flag', async () => {
  const door = createRestDoor(new StandIn(), { ...doorDefaults, port: scene.port }, new KeptLog());
  await assert.rejects(door.start(), {
    message: `port ${scene.port} on 127.0.0.1 is in use by another program; choose another with --http-port`,
  });
});

test('a host that this machine does not have is said as well', async () => {
  const door = createRestDoor(new StandIn(), { ...doorDefaults, host: '192.0.2.1' }, new KeptLog());
  await assert.rejects(door.start(), /this machine has no address 192.0.2.1/);
});

test('a stop lets an answer that is on its way out reach a client that reads slowly', async () => {
  const other = await openRest();
  const large = Buffer.alloc(32_000_000, 1);
  other.engine.outputs = () => [{ name: 'y', datatype: 'UINT8', shape: [large.length], data: large }];
  const asked = JSON.stringify({ ...JSON.parse(good), parameters: { binary_data_output: true } });
  const { socket, closed } = bare(other.port, `${head(asked.length)}${asked}`);
  await once(socket, 'data');
  socket.pause();
  const stopped = other.door.stop(20_000);
  // Longer than a door waits for what is not under way.
  await pause(400);
  socket.resume();
  const got = await closed;
  assert.ok(got.length > large.length, `${got.length} ${got.slice(0, 400)}`);
  await stopped;
});

test('a door that is shut answers what is under way or half sent, each as the last of its connection, and ends idle ones', async (t) => {
  const other = await openRest();
  t.after(() => other.door.stop(0));
  const request = `${head(good.length)}${good}`;
  const idle = bare(other.port, request);
  await idle.first;
  other.engine.holding = true;
  const running = bare(other.port, request);
  await other.engine.holds(1);
  other.engine.holding = false;
  const half = bare(other.port, head(good.length, 'Expect: 100-continue\r\n'));
  assert.match(await half.first, /100 Continue/);
  let isShut = false;
  const shut = other.door.shut?.(20_000).then(() => {
    isShut = true;
  });
  assert.match(await idle.closed, /^HTTP\/1.1 200 OK.*keep-alive/s);
  await assert.rejects(fetch(`http://127.0.0.1:${other.port}/v2`));
  assert.equal(isShut, false, 'one is still sending');
  half.socket.write(good);
  assert.match(await half.closed, /HTTP\/1.1 200 OK.*connection: close/is);
  await shut;
  other.engine.held[0]?.finish();
  assert.match(await running.closed, /^HTTP\/1.1 200 OK.*connection: close/is);
});

test('a stop lets what runs finish, takes nothing new and ends', async () => {
  const other = await openRest();
  other.engine.holding = true;
  const asked = other.post('/v2/models/twice/infer', good);
  await other.engine.holds(1);
  const stopped = other.door.stop(20_000);
  await assert.rejects(fetch(`http://127.0.0.1:${other.port}/v2`));
  other.engine.held[0]?.finish();
  assert.equal((await asked).status, 200);
  await stopped;
});
