// Every way into a real NATS, with what belongs there and with what does not: the right one opens the store, a wrong one is
// refused in a sentence.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { connectNats } from '../../cluster/nats.js';
import { loadConfig } from '../../runtime/config/load.js';
import { natsOptions } from '../../runtime/membership/access.js';
import { executable, skip } from '../nats/at-hand.js';
import { decentral, newCertificates, newNkey, noOpenssl } from '../nats/identities.js';
import { freePort } from '../nats/server.js';
import { NatsServers, type NodeCount } from '../nats/servers.js';
import { root } from '../processes/harness.js';

const silent = { away: () => {}, back: () => {}, closed: () => {} };

describe('ways into NATS', { skip, concurrency: true }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'nats-access-'));
  const running: NatsServers[] = [];
  after(async () => {
    await Promise.all(running.map((servers) => servers.remove()));
    rmSync(folder, { recursive: true, force: true });
  });
  let files = 0;
  const file = (content: string): string => {
    const path = join(folder, `file-${++files}`);
    writeFileSync(path, content);
    return path;
  };
  async function server(...lines: string[]): Promise<string> {
    return (await serversOf(1, ...lines)).urls;
  }
  async function serversOf(nodes: NodeCount, ...lines: string[]): Promise<NatsServers> {
    const servers = await NatsServers.start(executable, { nodes, lines });
    running.push(servers);
    return servers;
  }
  /** As a node with these flags would. */
  async function enter(url: string, ...flags: string[]): Promise<void> {
    const connection = await connectNats(
      natsOptions(loadConfig(['--nats', url, ...flags], {}).config, 'me'),
      silent,
    );
    try {
      const store = await connection.open({ name: 'door', keepMs: 0 });
      await store.put('key', 'x');
      assert.equal((await store.read('key'))?.text, 'x');
    } finally {
      await connection.close();
    }
  }
  const refused = /^Error: it refuses the credentials, or wants some$/;

  test('user and password', async () => {
    const url = await server('authorization { user: me, password: "p w" }');
    await enter(url, '--nats-user', 'me', '--nats-password', 'p w');
    await assert.rejects(enter(url, '--nats-user', 'me', '--nats-password', 'q'), refused);
    await assert.rejects(enter(url), refused);
  });

  test('who is refused by a server that has peers hears that at once, whichever were named', async () => {
    const { servers, urls } = await serversOf(3, 'authorization { user: me, password: right }');
    const [one] = servers;
    assert.ok(one);
    const [right, wrong] = ['right', 'wrong'].map((word) => [
      '--nats-user',
      'me',
      '--nats-password',
      word,
    ]) as [string[], string[]];
    await enter(one.url, ...right);
    await assert.rejects(enter(one.url, ...wrong), refused);
    await assert.rejects(enter(urls, ...wrong), refused);
    await assert.rejects(
      enter(`${one.url},nats://127.0.0.1:1`, ...wrong),
      new RegExp(`${one.url}: it refuses the credentials.*; nats://127.0.0.1:1: nobody listens there$`),
    );
  });

  test('servers that say nothing after their first word, which names more of them, end in time', async () => {
    const mute: Server[] = [];
    const ports = await Promise.all([freePort(), freePort()]);
    const addresses = ports.map((port) => `127.0.0.1:${port}`);
    const about = JSON.stringify({ server_id: 'X', version: '2.10.0', proto: 1, connect_urls: addresses });
    for (const port of ports) {
      const listener = createServer((socket) => socket.on('error', () => {}).write(`INFO ${about}\r\n`));
      mute.push(listener);
      await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve));
    }
    try {
      await assert.rejects(enter(`nats://${addresses[0]}`), /^Error: it does not answer in time$/);
    } finally {
      for (const listener of mute) listener.close();
    }
  });

  test('each is answered under its own name, where no other listens', async () => {
    const own = newNkey();
    const only = (name: string) => `permissions { subscribe: ["_INBOX.${name}.>"] }`;
    const users = [
      `{ user: me, password: "x", ${only('me')} }`,
      `{ nkey: ${own.publicKey}, ${only(own.publicKey)} }`,
    ];
    const url = await server(`authorization { users = [ ${users.join(', ')} ] }`);
    await enter(url, '--nats-user', 'me', '--nats-password', 'x');
    await enter(url, '--nats-nkey', file(own.seed));
  });

  test('a token', async () => {
    const url = await server('authorization { token: "t0ken" }');
    await enter(url, '--nats-token', 't0ken');
    await assert.rejects(enter(url, '--nats-token', 'other'), refused);
  });

  test('an nkey', async () => {
    const [own, other] = [newNkey(), newNkey()];
    const url = await server(`authorization { users = [ { nkey: ${own.publicKey} } ] }`);
    await enter(url, '--nats-nkey', file(`${own.seed}\n`));
    await assert.rejects(enter(url, '--nats-nkey', file(other.seed)), refused);
    const mistyped = file(`SU${'A'.repeat(56)}`);
    await assert.rejects(enter(url, '--nats-nkey', mistyped), /as the seed of an nkey is none/);
  });

  test('a credentials file', async () => {
    const { lines, credentials, forged } = decentral();
    const url = await server(...lines);
    await enter(url, '--nats-credentials', file(credentials));
    await assert.rejects(enter(url, '--nats-credentials', file(forged)), refused);
  });

  test('TLS, on both sides', { skip: noOpenssl }, async () => {
    const [ours, theirs] = [newCertificates(folder, 'ours'), newCertificates(folder, 'theirs')];
    const tls = `tls { cert_file: "${ours.cert}", key_file: "${ours.key}", ca_file: "${ours.ca}", verify: true }`;
    const url = await server(tls);
    const own = ['--nats-tls-cert', ours.cert, '--nats-tls-key', ours.key];
    await enter(url, '--nats-tls-ca', ours.ca, ...own);
    await assert.rejects(
      enter(url, '--nats-tls-ca', theirs.ca, ...own),
      /signed by nobody whom this node trusts/,
    );
    await assert.rejects(enter(url, '--nats-tls-ca', ours.ca), /does it want a certificate of this node/);
    await assert.rejects(enter(url), /signed by nobody whom this node trusts/);
    const plain = await server();
    await assert.rejects(enter(plain, '--nats-tls-ca', ours.ca), /it speaks no TLS/);
  });

  test('a certificate is for the address that was dialled', { skip: noOpenssl }, async () => {
    const at = async (name: string, addresses: string): Promise<[string, string]> => {
      const { ca, cert, key } = newCertificates(folder, name, addresses);
      return [await server(`tls { cert_file: "${cert}", key_file: "${key}" }`), ca];
    };
    const another = /its certificate is for another address than this one/;
    const [numbered, numberedCa] = await at('numbered', 'IP:127.0.0.1');
    await enter(numbered, '--nats-tls-ca', numberedCa);
    await assert.rejects(
      enter(numbered.replace('127.0.0.1', 'localhost'), '--nats-tls-ca', numberedCa),
      another,
    );
    const [named, namedCa] = await at('named', 'DNS:localhost');
    await enter(named.replace('127.0.0.1', 'localhost'), '--nats-tls-ca', namedCa);
    await assert.rejects(enter(named, '--nats-tls-ca', namedCa), another);
  });

  test('so it is where only the server asks for TLS', { skip: noOpenssl }, async () => {
    // Whom a process trusts without being told is settled at its start.
    const entered = async (name: string, addresses: string): Promise<string> => {
      const { ca, cert, key } = newCertificates(folder, name, addresses);
      const url = await server(`tls { cert_file: "${cert}", key_file: "${key}" }`);
      const env = { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: ca };
      return new Promise((resolve) => {
        const args = ['runtime', 'models', 'sweep', '--nats', url];
        execFile(process.execPath, args, { cwd: root, env }, (_, told, fault) => resolve(told + fault));
      });
    };
    assert.match(await entered('unasked', 'IP:127.0.0.1'), /^nothing/);
    assert.match(
      await entered('unasked-other', 'IP:127.0.0.2'),
      /its certificate is for another address than this one/,
    );
  });
});
