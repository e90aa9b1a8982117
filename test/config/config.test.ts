// The configuration: which layer wins, and what a person is told who made a mistake.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { routerDefaults } from '../../actors/router/router.js';
import { helpText } from '../../runtime/config/help.js';
import { loadConfig } from '../../runtime/config/load.js';
import { environmentOf, flagOf, settingNames, settings } from '../../runtime/config/schema.js';
import { natsOptions } from '../../runtime/membership/access.js';
import { planOf } from '../../runtime/node/plan.js';
import { routerLimits } from '../../runtime/node/wiring.js';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-config-'));
after(() => rmSync(folder, { recursive: true }));

function file(content: string, name = 'node.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

test('without anything the defaults stand', () => {
  const { config, help, version } = loadConfig([], {});
  for (const name of settingNames) assert.equal(config[name], settings[name].fallback, name);
  assert.equal(help || version, false);
});

test('every default is allowed by its own setting', () => {
  for (const name of settingNames) {
    const { fallback, read } = settings[name];
    assert.equal((read as (given: unknown) => unknown)(fallback), fallback, name);
  }
});

test('flags go before the environment, that before the file', () => {
  const path = file('httpPort: 1111\ngrpcPort: 1112\nname: from-file\n');
  const environment = { SIGNALBOX_HTTP_PORT: '2221', SIGNALBOX_GRPC_PORT: '2222', SIGNALBOX_CONFIG: path };
  const { config } = loadConfig(['--http-port', '3331'], environment);
  assert.deepEqual([config.httpPort, config.grpcPort, config.name], [3331, 2222, 'from-file']);
  assert.equal(loadConfig([`--config=${path}`, '--name=flag'], {}).config.name, 'flag');
});

test('a mistake is named with its place, its value and what is allowed', () => {
  const wrong: [readonly string[], Record<string, string>, RegExp][] = [
    [['--http-port', 'eighty'], {}, /--http-port is "eighty"; allowed is a whole number from 0 to 65535/],
    [['--http-port', '70000'], {}, /--http-port is "70000"; allowed is a whole number/],
    [['--http-port'], {}, /--http-port needs a value/],
    [['--http-prt', '1'], {}, /argument --http-prt is not known; did you mean --http-port\?/],
    [['--name', 'a', '--name', 'b'], {}, /--name is given twice/],
    [['--admission', 'maybe'], {}, /--admission is "maybe"; allowed is one of on, off/],
    [['--attempts-max', '0'], {}, /--attempts-max is "0"; allowed is a whole number from 1 to 100/],
    [['--retry-share', '1.5'], {}, /--retry-share is "1.5"; allowed is a number from 0 to 1/],
    [['--retry-per-second', '-1'], {}, /--retry-per-second is "-1"; allowed is a number from 0/],
    [['serve'], {}, /argument serve is not known$/],
    [['--versoin'], {}, /argument --versoin is not known; did you mean --version\?/],
    [['--halp'], {}, /argument --halp is not known; did you mean --help\?/],
    [['--confg', 'x'], {}, /argument --confg is not known; did you mean --config\?/],
    [['job'], {}, /argument job is not known; did you mean jobs\?/],
    [
      ['--role', 'wroker'],
      {},
      /--role is "wroker"; allowed is one or more of all, router, scheduler, worker, health/,
    ],
    [[], { SIGNALBOX_WORKER_COUNT: 'two' }, /environment variable SIGNALBOX_WORKER_COUNT is "two"/],
    [[], { SIGNALBOX_WORKERS: '2' }, /environment variable SIGNALBOX_WORKERS is not known/],
    [['--config', join(folder, 'none.yaml')], {}, /none\.yaml can't be read/],
  ];
  for (const [args, environment, message] of wrong)
    assert.throws(() => loadConfig(args, environment), message);
});

test('a mistake in the file is named with file and key', () => {
  const wrong: [string, RegExp][] = [
    ['httpPort: -1', /node\.yaml: key httpPort is -1; allowed is a whole number from 0 to 65535/],
    ['httpport: 1', /node\.yaml: key httpport is not known; did you mean httpPort\?/],
    ['workerCount: 1.5', /key workerCount is 1.5/],
    ['- a\n- b', /wanted are keys and values/],
    ['a: [', /node\.yaml is not YAML/],
  ];
  for (const [content, message] of wrong)
    assert.throws(() => loadConfig(['--config', file(content)], {}), message);
});

test('tags are a list, which may be empty', () => {
  const tagsOf = (given: string) => loadConfig(['--worker-tags', given], {}).config.workerTags;
  assert.equal(tagsOf('gpu, zone:a,rack/7'), 'gpu,zone:a,rack/7');
  assert.equal(tagsOf(''), '');
  assert.equal(loadConfig(['--config', file('workerTags: [gpu, big]')], {}).config.workerTags, 'gpu,big');
  for (const wrong of ['gpu,', 'a b', 'gpu,gpu', '-x', 'x'.repeat(129), Array(33).fill('t').join()]) {
    assert.throws(() => tagsOf(wrong), /--worker-tags is .*; allowed is up to 32 tags, separated by commas/);
  }
  assert.throws(() => loadConfig(['--config', file('workerTags: 7')], {}), /key workerTags is 7/);
});

test('what a router goes by is set by name', () => {
  const names = ['attemptsMax', 'retryShare', 'retryPerSecond', 'hedgeShare'] as const;
  const given = [7, 0.25, 1.5, 0];
  const args = names.flatMap((name, at) => [flagOf(name), String(given[at])]);
  const set = routerLimits(loadConfig(args, {}).config);
  const usual = routerLimits(loadConfig([], {}).config);
  names.forEach((name, at) => {
    assert.equal(set[name], given[at], name);
    assert.equal(usual[name], routerDefaults[name], name);
  });
});

test('roles can be combined, in flags and in a file', () => {
  assert.equal(loadConfig(['--role', 'router,scheduler'], {}).config.role, 'router,scheduler');
  assert.equal(loadConfig(['--config', file('role: [router, health]')], {}).config.role, 'router,health');
  assert.throws(() => planOf(loadConfig(['--role', 'all,worker'], {}).config), /all is everything already/);
});

test('a node with a router founds the cluster, another joins it', () => {
  const founder = planOf(loadConfig([], {}).config);
  assert.equal(founder.founder, true);
  assert.deepEqual(founder.join, []);
  assert.deepEqual(founder.workerNames, ['worker-1', 'worker-2']);
  const worker = planOf(loadConfig(['--role', 'worker'], {}).config);
  assert.equal(worker.founder, false);
  assert.deepEqual(worker.join, [founder.self.endpoint]);
  assert.equal(worker.self.endpoint, '');
  const joins = ['--role', 'router', '--join', 'tcp://127.0.0.1:9'];
  const router = planOf(loadConfig([...joins, '--endpoint', 'tcp://127.0.0.1:10'], {}).config);
  assert.deepEqual([router.founder, router.join], [false, ['tcp://127.0.0.1:9']]);
  assert.throws(
    () => planOf(loadConfig(joins, {}).config),
    /needs an address that the other nodes can reach/,
  );
});

test('with NATS a node founds nothing and joins nobody, and tells where it is reached', () => {
  const plan = (...args: string[]) =>
    planOf(loadConfig(['--nats', 'nats://127.0.0.1:4222', ...args], {}).config);
  const found = plan();
  assert.deepEqual([found.founder, found.join, found.bind], [false, [], found.self.endpoint]);
  assert.notEqual(
    found.self.endpoint,
    planOf(loadConfig([], {}).config).self.endpoint,
    'not the well-known one',
  );
  const outside = ['--endpoint', 'tcp://0.0.0.0:7000', '--insecure'];
  const known = plan(...outside, '--advertise', 'tcp://box-7:7001');
  assert.deepEqual([known.bind, known.self.endpoint], ['tcp://0.0.0.0:7000', 'tcp://box-7:7001']);
  assert.throws(() => plan(...outside), /is no address that others can call: say which with --advertise/);
  assert.throws(() => plan('--join', 'tcp://127.0.0.1:9'), /--nats and --join are two ways/);
  assert.throws(
    () => planOf(loadConfig(['--nats-user', 'me'], {}).config),
    /--nats-user says how to reach NATS, and --nats does not say where/,
  );
  assert.throws(() => loadConfig(['--nats', 'http://x:1'], {}), /--nats is "http:\/\/x:1"; allowed is nats:/);
  for (const bare of ['foo', 'foo:4222', 'nats://foo:4222,bar:4222'])
    assert.throws(
      () => loadConfig(['--nats', bare], {}),
      /--nats is ".*"; allowed is nats:\/\/host:port or tls:/,
    );
  assert.throws(() => loadConfig(['--nats', 'nats://me:pass@x:1'], {}), /allowed is nats:/);
});

test('what a node shows to NATS is read from its files, and must go together', () => {
  const options = (...args: string[]) =>
    natsOptions(loadConfig(['--nats', 'nats://a:1,tls://b:2', ...args], {}).config, 'me');
  const text = `SU${'A'.repeat(56)}`;
  const seed = file(`${text}\n`);
  assert.deepEqual(options('--nats-nkey', seed), {
    servers: ['nats://a:1', 'tls://b:2'],
    name: 'me',
    user: '',
    password: '',
    token: '',
    credentials: '',
    nkeySeed: text,
    tls: {},
  });
  const signed = options(
    '--nats-tls-ca',
    file('CA', 'ca'),
    '--nats-tls-cert',
    file('C', 'cert'),
    '--nats-tls-key',
    file('K', 'key'),
  );
  assert.deepEqual(signed.tls, { ca: 'CA', cert: 'C', key: 'K' });
  assert.throws(
    () => options('--nats-user', 'a', '--nats-token', 't'),
    /--nats-user and --nats-token each say who this node is/,
  );
  assert.throws(() => options('--nats-password', 'p'), /--nats-password goes with --nats-user/);
  assert.throws(() => options('--nats-tls-key', seed), /--nats-tls-key goes with --nats-tls-cert/);
  assert.throws(
    () => options('--nats-credentials', '/nowhere'),
    /--nats-credentials \/nowhere can't be read/,
  );
  assert.throws(() => options('--nats-credentials', file('')), /is empty/);
  assert.throws(
    () => options('--nats-credentials', file(text)),
    /does not hold what is wanted: a credentials file/,
  );
  assert.throws(
    () => options('--nats-nkey', file(text.slice(1))),
    /does not hold what is wanted: the seed of a user/,
  );
});

test('REST and gRPC are not given the same port', () => {
  const ports = (http: string, grpc: string, role = 'all') =>
    planOf(loadConfig(['--http-port', http, '--grpc-port', grpc, '--role', role], {}).config);
  assert.throws(
    () => ports('7000', '7000'),
    /--http-port and --grpc-port are both 7000: REST and gRPC need a port/,
  );
  assert.ok(ports('0', '0'));
  assert.ok(ports('7000', '7000', 'worker'), 'it opens neither');
});

test('an address that others can reach is refused until it is asked for', () => {
  for (const args of [
    ['--host', '0.0.0.0'],
    ['--endpoint', 'tcp://10.0.0.1:8003'],
    ['--endpoint', 'tcp://*:8003'],
  ]) {
    assert.throws(() => planOf(loadConfig(args, {}).config), /reachable from other machines/);
    assert.ok(planOf(loadConfig([...args, '--insecure'], {}).config));
  }
  for (const host of ['127.0.0.1', '127.0.0.7', 'localhost', '::1']) {
    assert.ok(planOf(loadConfig(['--host', host], {}).config));
  }
});

test('the help names every setting', () => {
  for (const name of settingNames) {
    assert.ok(helpText().includes(`${flagOf(name)} `), name);
    assert.match(environmentOf(name), /^SIGNALBOX_[A-Z_]+$/);
  }
});
