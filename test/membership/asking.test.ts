// Commands that ask a node which does not answer, or are used wrongly where there is none: a sentence, and none waits for ever.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createNetServer, type Server } from 'node:net';
import { test } from 'node:test';
import { ask, baseUrl } from '../../runtime/ask.js';
import { ConfigError } from '../../runtime/config/load.js';
import { clusterText } from '../../runtime/membership/command.js';
import { modelsText } from '../../runtime/models/command.js';

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const closed = (server: Server) => new Promise((resolve) => server.close(resolve));

test('a node that takes connections and answers nothing, or only half, is given up', async () => {
  const frozen = createNetServer((socket) => socket.resume().on('error', () => {}));
  const half = createServer((_, response) => {
    response.writeHead(200);
    response.write('{');
  });
  for (const server of [frozen, half]) {
    const url = await listening(server);
    await assert.rejects(ask(`${url}/v2`, url, undefined, 50), (fault: Error & { code: string }) => {
      assert.match(
        fault.message,
        new RegExp(`^what listens at ${url} has not answered for 0.05 s: .* --url`),
      );
      return fault.code === 'NODE_UNREACHABLE';
    });
    await closed(server);
  }
});

test('an order without a node is wrong use, also where nobody can say which nodes there are', async () => {
  const server = createNetServer();
  const url = await listening(server);
  await closed(server);
  for (const words of [['drain'], ['remove', 'one', 'two']])
    await assert.rejects(clusterText([...words, '--url', url], {}), (fault: Error) => {
      assert.match(fault.message, /(needs a node|two is too many); node runtime cluster members lists them$/);
      return fault instanceof ConfigError;
    });
});

test('an address of IPv6 has brackets', () => {
  const given = new Map<string, string>();
  assert.equal(baseUrl(given, { SIGNALBOX_HOST: '::1' }), 'http://[::1]:8000');
  assert.equal(baseUrl(given, { SIGNALBOX_HOST: '' }), 'http://127.0.0.1:8000');
});

test('what a program asks is refused as JSON, of models as of the cluster', async () => {
  const server = createNetServer();
  const url = await listening(server);
  await closed(server);
  for (const said of [
    await modelsText(['list', '--json', '--url', url], {}),
    await clusterText(['members', '--json', '--url', url], {}),
  ]) {
    assert.equal(said.isGood, false);
    assert.equal((JSON.parse(said.text) as { code: string }).code, 'NODE_UNREACHABLE');
  }
});

test('members are listed by name, whenever they came, and each worker process behind its node', async () => {
  const members = [
    ['plan.scheduler.c', ''],
    ['box.worker.d', ''],
    ['box-worker-2.a', 'box.worker.d'],
    ['box.worker.b', ''],
    ['a.router.e', ''],
    ['box-worker-1.f', 'box.worker.d'],
  ].map(([id, host]) => ({ id, host, roles: ['worker'], endpoint: '', linked: true }));
  const server = createServer((_, response) => response.end(JSON.stringify({ members })));
  const { text } = await clusterText(['members', '--url', await listening(server)], {});
  server.closeAllConnections();
  await closed(server);
  assert.deepEqual(
    text.split('\n').map((line) => line.split(' ')[0]),
    [
      'MEMBER',
      'a.router.e',
      'box.worker.b',
      'box.worker.d',
      'box-worker-1.f',
      'box-worker-2.a',
      'plan.scheduler.c',
    ],
  );
});
