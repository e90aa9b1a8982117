// The lean client against servers that are not its own: what it says is understood, what it hears is what was said, and a
// connection that breaks breaks no promise.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { type Answer, Asker } from './asker.js';
import { framed, inferPath } from './loader.js';

type Handle = grpc.handleUnaryCall<Buffer, Buffer>;

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(handle: Handle, options: grpc.ServerOptions = {}): Promise<[number, grpc.Server]> {
  const server = new grpc.Server(options);
  const same = (bytes: Buffer): Buffer => bytes;
  server.register(inferPath, handle, same, same, 'unary');
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (fault, bound) => {
      if (fault === null) resolve(bound);
      else reject(fault);
    });
  });
  closing.push(() => server.forceShutdown());
  return [port, server];
}

async function serveBare(): Promise<[number, Http2Server]> {
  const server = createServer();
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    for (const session of sessions) session.destroy();
  });
  return [(server.address() as AddressInfo).port, server];
}

async function askerOf(port: number, sessions = 1): Promise<Asker> {
  const asker = new Asker(port, sessions);
  closing.push(() => asker.break());
  return await asker.connected();
}

function answerTo(asker: Asker, body: Buffer, deadlineMs?: number): Promise<[string, string]> {
  return new Promise((resolve) => {
    asker.ask(body, deadlineMs, ({ status, code }: Answer) => resolve([status, code]));
  });
}

function bytesOf(length: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 31 + (at >> 8) + seed) & 0xff));
}

const one = framed(Buffer.from('one'));

describe('with a server of grpc-js', () => {
  test('a good answer, and what was asked arrives', async () => {
    const heard: string[] = [];
    const [port] = await serve(({ request }, reply) => {
      heard.push(String(request));
      reply(null, Buffer.from('done'));
    });
    const asker = await askerOf(port, 3);
    const answers = await Promise.all(Array.from({ length: 7 }, () => answerTo(asker, one)));
    assert.deepEqual(
      answers,
      Array.from({ length: 7 }, () => ['0', '']),
    );
    assert.deepEqual(
      heard,
      Array.from({ length: 7 }, () => 'one'),
    );
  });

  test('a refusal has its status and its code, whatever else is said', async () => {
    const metadata = new grpc.Metadata();
    metadata.set('signalbox-code', 'OVERLOADED');
    metadata.set('retry-after-ms', '12');
    const [port] = await serve((_, reply) => reply({ code: 8, details: 'too much: 100 % {é}', metadata }));
    const asker = await askerOf(port);
    for (let turn = 0; turn < 3; turn++) {
      assert.deepEqual(await answerTo(asker, one), ['8', 'OVERLOADED']);
    }
  });

  test('each deadline is told as it is', async () => {
    const left: number[] = [];
    const [port] = await serve((call, reply) => {
      const deadline = Number(call.getDeadline());
      left.push(deadline - Date.now());
      reply(null, Buffer.alloc(0));
    });
    const asker = await askerOf(port);
    for (const deadlineMs of [60_000, undefined, 600_000]) await answerTo(asker, one, deadlineMs);
    assert.ok((left[0] as number) > 30_000 && (left[0] as number) <= 60_000, `${left}`);
    assert.equal(left[1], Number.POSITIVE_INFINITY);
    assert.ok((left[2] as number) > 300_000 && (left[2] as number) <= 600_000, `${left}`);
  });

  test('a cancel reaches the server, and others are answered all the same', async () => {
    const [port] = await serve((call, reply) => {
      if (String(call.request) === 'one') call.on('cancelled', () => release());
      else reply(null, Buffer.alloc(0));
    });
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const asker = await askerOf(port);
    const ends: Answer[] = [];
    const asked = asker.ask(one, undefined, (answer) => ends.push(answer));
    await answerTo(asker, framed(Buffer.from('two')));
    asked.cancel();
    asked.cancel();
    await released;
    assert.deepEqual(await answerTo(asker, framed(Buffer.from('three'))), ['0', '']);
    assert.equal(ends.length, 1);
    assert.equal(ends[0]?.status, '');
  });

  test('bodies larger than every window arrive whole, and answers as large are taken', async () => {
    const bodies = [36_000, 16_384 - 5, 700_000, 3, 65_535, 200_000].map(bytesOf);
    const wrong: number[] = [];
    const [port] = await serve(({ request }, reply) => {
      const at = bodies.findIndex((body) => body.equals(request));
      if (at < 0) wrong.push(request.length);
      reply(null, request);
    });
    const asker = await askerOf(port, 2);
    const answers = await Promise.all(
      [...bodies, ...bodies, ...bodies].map((body) => answerTo(asker, framed(body))),
    );
    assert.deepEqual(wrong, []);
    assert.ok(
      answers.every(([status]) => status === '0'),
      String(answers),
    );
  });

  test('no more calls at once than the server allows', async () => {
    let now = 0;
    let most = 0;
    const [port] = await serve(
      (_, reply) => {
        now++;
        most = Math.max(most, now);
        setImmediate(() => {
          now--;
          reply(null, Buffer.alloc(0));
        });
      },
      { 'grpc.max_concurrent_streams': 2 },
    );
    const asker = await askerOf(port);
    const answers = await Promise.all(Array.from({ length: 9 }, () => answerTo(asker, one)));
    assert.ok(
      answers.every(([status]) => status === '0'),
      String(answers),
    );
    assert.equal(most, 2);
  });

  test('when the connection breaks, whoever asks or has asked hears it', async () => {
    let arrive: () => void = () => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const [port, server] = await serve(() => arrive());
    const asker = await askerOf(port);
    const open = answerTo(asker, one);
    await arrived;
    server.forceShutdown();
    assert.deepEqual(await open, ['', '']);
    assert.deepEqual(await answerTo(asker, one), ['', '']);
  });

  test('where nobody listens there is no connection', async () => {
    const [port, server] = await serve(() => {});
    server.forceShutdown();
    const asker = new Asker(port);
    await assert.rejects(asker.connected(), /nobody speaks HTTP\/2/);
    assert.deepEqual(await answerTo(asker, one), ['', '']);
  });
});

describe('with a bare server of HTTP/2', () => {
  test('a ping is answered, and its settings are acknowledged', async () => {
    const [port, server] = await serveBare();
    const comes = once(server, 'session') as Promise<[ServerHttp2Session]>;
    await askerOf(port);
    const [session] = await comes;
    const echoed = await new Promise<string>((resolve, reject) => {
      session.ping(Buffer.from('8 bytes!'), (fault, _, bytes) => {
        if (fault === null) resolve(bytes.toString());
        else reject(fault);
      });
    });
    assert.equal(echoed, '8 bytes!');
    await new Promise<void>((resolve) => session.settings({ initialWindowSize: 10 }, () => resolve()));
    assert.equal(session.localSettings.initialWindowSize, 10);
  });

  test('headers of more than one frame are read to their end', async () => {
    const [port, server] = await serveBare();
    server.on('stream', (stream) => {
      stream.respond({ 'a-first': 'x'.repeat(20_000), 'grpc-status': '13', 'signalbox-code': 'INTERNAL' });
      stream.end();
    });
    assert.deepEqual(await answerTo(await askerOf(port), one), ['13', 'INTERNAL']);
  });

  test('windows that shrink and grow again lose nothing', async () => {
    const [port, server] = await serveBare();
    const heard: Buffer[] = [];
    server.on('session', (session) => session.settings({ initialWindowSize: 1000 }));
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('data', (part: Buffer) => heard.push(part));
      stream.on('end', () => {
        stream.respond({ 'grpc-status': '0' });
        stream.end();
      });
    });
    const body = framed(bytesOf(300_000, 1));
    assert.deepEqual(await answerTo(await askerOf(port), body), ['0', '']);
    assert.ok(Buffer.concat(heard).equals(body));
  });

  test('a call that the server resets is over, also one that is not all out', async () => {
    const [port, server] = await serveBare();
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      stream.close(7);
    });
    const asker = await askerOf(port);
    assert.deepEqual(await answerTo(asker, one), ['', '']);
    assert.deepEqual(await answerTo(asker, framed(bytesOf(300_000, 2))), ['', '']);
  });

  test('a client that dies leaves its calls open', async () => {
    const [port, server] = await serveBare();
    const comes = once(server, 'stream') as Promise<[ServerHttp2Stream]>;
    const asker = await askerOf(port);
    const open = answerTo(asker, one);
    const [stream] = await comes;
    let goodbyes = 0;
    stream.session?.on('goaway', () => goodbyes++);
    const aborted = once(stream, 'aborted');
    asker.break();
    await aborted;
    assert.equal(goodbyes, 0);
    assert.deepEqual(await open, ['', '']);
  });
});
