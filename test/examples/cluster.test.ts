// The sample files for clusters: every setting, command, path and port in them exists, and what can check them on this
// machine does.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig } from '../../runtime/config/load.js';
import { type Config, settings } from '../../runtime/config/schema.js';
import { keysText } from '../../runtime/keys/command.js';
import { planOf } from '../../runtime/node/plan.js';
import { executable, skip as noNats } from '../nats/at-hand.js';
import { newCertificates, noOpenssl } from '../nats/identities.js';
import { root, Scratch, until } from '../processes/harness.js';
import { isCommand } from './commands.js';

const run = promisify(execFile);
const at = join(root, 'examples/cluster');
const read = (path: string): string => readFileSync(join(at, path), 'utf8');

const momentSeconds = 5;

type Fields = Record<string, unknown>;
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Fields;
  readonly data: Record<string, string>;
}
interface Container {
  readonly name: string;
  readonly env: readonly { name: string; value?: string }[];
  readonly envFrom: readonly { configMapRef: { name: string } }[];
  readonly ports?: readonly { name: string; containerPort: number }[];
  readonly volumeMounts: readonly { name: string }[];
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly [probe: string]: unknown;
}
interface Pod {
  readonly metadata: { readonly labels: Record<string, string> };
  readonly spec: {
    readonly enableServiceLinks: boolean;
    readonly terminationGracePeriodSeconds: number;
    readonly containers: readonly [Container];
    readonly volumes: readonly { name: string; secret?: { secretName: string } }[];
  };
}
interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string };
  readonly tcpSocket?: { readonly port: string };
}

const missing = (command: string, flag: string): Promise<string | false> =>
  run(command, [flag]).then(
    () => false,
    () => `there is no ${command} here`,
  );
const noKubectl = await missing('kubectl', '--help');
const noValidator = await missing('kubernetes-validate', '--help');
const noSystemd = await missing('systemd-analyze', '--version');

/** As the environment of a container; the key is another, for the one that is named is in no container here. */
function configOf(environment: Record<string, string>, keyFile: string): Config {
  const own = environment.SIGNALBOX_KEY_FILE === undefined ? {} : { SIGNALBOX_KEY_FILE: keyFile };
  return loadConfig([], { ...environment, ...own }).config;
}

/** What a container is told besides what all are. */
function environmentOf({ spec }: Pod): [string, string][] {
  const [{ name, env }] = spec.containers;
  return env
    .filter((one) => one.name.startsWith('SIGNALBOX_'))
    .map((one) => [one.name, one.value?.replace('$(POD_IP)', '10.1.2.3') ?? `${name}-7d9c6c9f5b-abcde`]);
}

/** What a stop takes at most before it has to be over: the doors and then the workers have drainMs each. */
function stopSeconds({ drainMs, lameDuckMs }: Config): number {
  return (2 * drainMs + lameDuckMs) / 1000 + momentSeconds;
}

describe('the sample cluster', () => {
  const scratch = new Scratch();
  keysText(['new', '--out', scratch.path('own')], {});
  const keyFile = scratch.path('own/node.key');
  after(() => scratch.remove());

  const manifests = readdirSync(join(at, 'kubernetes'))
    .filter((name) => !/^(kustomization|nats-values)\.yaml$/.test(name))
    .flatMap((name) => parseAllDocuments(read(`kubernetes/${name}`)).map((one) => one.toJS() as Manifest));
  const of = (kind: string): Manifest[] => manifests.filter((one) => one.kind === kind);
  const pods = of('Deployment').map(({ metadata, spec }) => ({
    name: metadata.name,
    replicas: spec.replicas as number,
    selector: (spec.selector as { matchLabels: Record<string, string> }).matchLabels,
    pod: spec.template as Pod,
  }));

  test('Kubernetes: kinds, selectors, names and ports belong together', () => {
    const versions: Record<string, string> = {
      ConfigMap: 'v1',
      Service: 'v1',
      Deployment: 'apps/v1',
      PodDisruptionBudget: 'policy/v1',
      NetworkPolicy: 'networking.k8s.io/v1',
    };
    for (const { apiVersion, kind } of manifests) assert.equal(apiVersion, versions[kind], kind);
    assert.deepEqual(
      pods.map(({ name, replicas }) => [name, replicas]),
      [
        ['signalbox-router', 2],
        ['signalbox-scheduler', 2],
        ['signalbox-worker', 4],
      ],
    );
    for (const { name, selector, pod } of pods) {
      assert.deepEqual(pod.metadata.labels, selector, name);
      assert.equal(pod.spec.enableServiceLinks, false, 'their variables are no settings');
      const [container] = pod.spec.containers;
      const ports = (container.ports ?? []).map((port) => port.name);
      for (const kind of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
        const probe = container[kind] as Probe | undefined;
        const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port;
        assert.ok(port !== undefined && ports.includes(port), `${name}: ${kind} at ${port}`);
        assert.equal(probe?.httpGet?.path, `/v2/health/${kind === 'readinessProbe' ? 'ready' : 'live'}`);
      }
      const volumes = pod.spec.volumes.map((volume) => volume.name).sort();
      assert.deepEqual(container.volumeMounts.map((mount) => mount.name).sort(), volumes);
      const budget = of('PodDisruptionBudget').find(({ metadata }) => metadata.name === name);
      assert.deepEqual(budget?.spec.selector, { matchLabels: selector });
      assert.equal(budget?.spec.maxUnavailable, 1);
      const maps = container.envFrom.map(({ configMapRef }) => configMapRef.name);
      assert.ok(maps.every((map) => of('ConfigMap').some(({ metadata }) => metadata.name === map)));
    }
    const service = of('Service')[0] as Manifest;
    assert.deepEqual(service.spec.selector, pods[0]?.selector);
    for (const { targetPort } of service.spec.ports as { targetPort: string }[]) {
      assert.ok(pods[0]?.pod.spec.containers[0].ports?.some((port) => port.name === targetPort));
    }
    const { resources } = parse(read('kubernetes/kustomization.yaml')) as { resources: string[] };
    for (const file of resources) assert.ok(existsSync(join(at, 'kubernetes', file)), file);
  });

  test('Kubernetes: each node gets settings that there are, and a plan can be made of them', () => {
    const [common] = of('ConfigMap');
    for (const { pod } of pods) {
      const [{ ports = [] }] = pod.spec.containers;
      const own = Object.fromEntries(environmentOf(pod));
      const config = configOf({ ...common?.data, ...own }, keyFile);
      const { bind, self } = planOf(config);
      const post = ports.find((port) => port.name === 'post')?.containerPort;
      if (post === undefined) assert.equal(bind, '', 'it is called by nobody');
      else {
        assert.match(bind, new RegExp(`^tcp://[0-9a-f]{64}@0\\.0\\.0\\.0:${post}$`));
        assert.match(self.endpoint, new RegExp(`@10\\.1\\.2\\.3:${post}$`));
      }
      const doors = { http: settings.httpPort.fallback, grpc: settings.grpcPort.fallback };
      const health = ports.find((port) => port.name === 'health')?.containerPort ?? -1;
      assert.equal(config.healthPort, health);
      for (const [door, port] of Object.entries(doors)) {
        const listed = ports.find((one) => one.name === door);
        if (listed !== undefined) assert.equal(listed.containerPort, port);
      }
    }
  });

  test('Kubernetes: pods are drained by a command that there is, with the time for it', async () => {
    const [common] = of('ConfigMap');
    for (const { pod } of pods) {
      const [{ lifecycle }] = pod.spec.containers;
      const [, giveUpSeconds, , , script = ''] = lifecycle.preStop.exec.command;
      const [, text = ''] = /^until (node .+); do sleep \d+; done$/.exec(script) ?? [];
      await isCommand(text, keyFile);
      const waitSeconds = Number(/--wait (\d+)/.exec(text)?.[1]);
      assert.ok(Number(giveUpSeconds) > waitSeconds, 'one order has its time');
      const own = Object.fromEntries(environmentOf(pod));
      const leastSeconds =
        Number(giveUpSeconds) + stopSeconds(configOf({ ...common?.data, ...own }, keyFile));
      assert.ok(pod.spec.terminationGracePeriodSeconds >= leastSeconds, `${leastSeconds} s at least`);
      const url = /--url (\S+?)'?$/.exec(text)?.[1] as string;
      assert.ok(
        /127\.0\.0\.1:8000$/.test(url) || url === `http://${of('Service')[0]?.metadata.name}:8000`,
        url,
      );
    }
  });

  test('Kubernetes: kubectl can put them together', { skip: noKubectl }, async () => {
    const { stdout } = await run('kubectl', ['kustomize', join(at, 'kubernetes')]);
    assert.equal(parseAllDocuments(stdout).length, manifests.length);
  });

  test('Kubernetes: manifests are by its schemas', { skip: noValidator }, async () => {
    const files = ['settings', 'router', 'scheduler', 'worker', 'network'].map((name) =>
      join(at, `kubernetes/${name}.yaml`),
    );
    await run('kubernetes-validate', ['--strict', ...files]);
    const mistaken = scratch.path('mistaken.yaml');
    writeFileSync(mistaken, read('kubernetes/router.yaml').replace('readinessProbe', 'readinesProbe'));
    await assert.rejects(run('kubernetes-validate', ['--strict', mistaken]));
  });

  test('compose: services, volumes and settings are there', async () => {
    const file = parse(read('compose.yaml'), { merge: true }) as {
      services: Record<
        string,
        {
          environment?: Record<string, string>;
          depends_on?: string[];
          command?: string[];
          healthcheck?: { test: string[] };
          stop_grace_period?: string;
        }
      >;
      volumes: Fields;
    };
    const names = Object.keys(file.services);
    const probes = new Set<string>();
    assert.equal(
      names.filter((name) => /^(nats-[123]|router-[12]|scheduler-[12]|worker-[1234])$/.test(name)).length,
      11,
    );
    for (const [
      name,
      { environment, depends_on = [], command, healthcheck, stop_grace_period = '' },
    ] of Object.entries(file.services)) {
      assert.ok(depends_on.every((other) => names.includes(other)));
      if (environment === undefined) {
        assert.equal(command?.[command.indexOf('--name') + 1], name);
        assert.ok(Object.keys(file.volumes).includes(name));
        continue;
      }
      const config = loadConfig([], environment).config;
      assert.equal(config.name, name);
      assert.ok(Number(/^(\d+)s$/.exec(stop_grace_period)?.[1]) >= stopSeconds(config), name);
      const { bind, self } = planOf(config);
      assert.equal(self.endpoint, config.role === 'worker' ? '' : `tcp://${name}:8003`);
      assert.equal(bind, config.role === 'worker' ? '' : 'tcp://0.0.0.0:8003');
      for (const url of config.nats.split(',')) assert.ok(names.includes(new URL(url).hostname), url);
      assert.equal(config.healthPort, config.role === 'router' ? -1 : 8004);
      probes.add(healthcheck?.test.at(-1) ?? '');
    }
    const asked = createServer((_, response) => response.writeHead(status).end()).listen(0, '127.0.0.1');
    await once(asked, 'listening');
    const { port } = asked.address() as { port: number };
    let status = 200;
    const env = { PATH: process.env.PATH, SIGNALBOX_HEALTH_PORT: String(port) };
    const [probe = ''] = probes;
    assert.equal(probes.size, 1);
    try {
      await run(process.execPath, ['-e', probe], { env });
      status = 503;
      await assert.rejects(run(process.execPath, ['-e', probe], { env }));
    } finally {
      asked.close();
    }
  });

  test('systemd: units and settings are good', { skip: noSystemd }, async () => {
    const folder = scratch.path('units');
    mkdirSync(folder);
    const units = readdirSync(join(at, 'systemd')).filter((name) => name.endsWith('.service'));
    for (const name of units) {
      const text = read(`systemd/${name}`)
        .replace('/usr/bin/node', process.execPath)
        .replace('/usr/local/bin/nats-server', process.execPath);
      assert.ok(!text.includes('nats-server'));
      writeFileSync(join(folder, name), text);
    }
    const { stderr } = await run('systemd-analyze', ['verify', ...units.map((name) => join(folder, name))]);
    assert.equal(
      stderr
        .split('\n')
        .filter((line) => line.includes(folder))
        .join('\n'),
      '',
    );
  });

  test('systemd: the settings of each role are good', () => {
    for (const role of ['router', 'scheduler', 'worker']) {
      const file = join(at, `systemd/${role}.yaml`);
      const { config } = loadConfig(['--config', file], {});
      assert.ok(config.role.startsWith(role));
      assert.equal(config.natsUser, role);
      planOf({ ...config, keyFile });
      const [, given] = /TimeoutStopSec=(\d+)/.exec(read('systemd/signalbox@.service')) ?? [];
      assert.ok(Number(given) >= stopSeconds(config), `${stopSeconds(config)} s at least`);
    }
  });

  test('NATS takes its configuration', { skip: noNats || noOpenssl }, async () => {
    const env = Object.fromEntries(
      [...read('nats/permissions.conf').matchAll(/\$(NATS_\w+_PASSWORD)/g)].map(([, name]) => [name, 'x']),
    );
    assert.equal(Object.keys(env).length, 4);
    // A shell that has them starts nodes as well: they are no settings of those.
    loadConfig([], env);
    const folder = scratch.path('nats');
    mkdirSync(folder);
    const { ca, cert, key } = newCertificates(folder, 'own');
    const text = read('nats/nats.conf')
      .replace('/etc/nats/ca.pem', ca)
      .replace('/etc/nats/server.pem', cert)
      .replace('/etc/nats/server-key.pem', key);
    assert.ok(!text.includes('/etc/nats/'));
    writeFileSync(join(folder, 'nats.conf'), text);
    cpSync(join(at, 'nats/permissions.conf'), join(folder, 'permissions.conf'));
    await run(executable, ['-t', '-c', join(folder, 'nats.conf')], { env: { ...process.env, ...env } });
  });

  test('what the image is made of is a node', async () => {
    const text = read('Dockerfile');
    const image = scratch.path('image');
    const copied = [...text.matchAll(/^COPY --from=build \S+ \/opt\/signalbox\/(\S+) (\S+)$/gm)];
    assert.ok(copied.length >= 5);
    for (const [, from = '', to = ''] of copied) {
      const target = to.endsWith('/') ? join(image, to, from.split('/').at(-1) as string) : join(image, to);
      mkdirSync(dirname(target), { recursive: true });
      if (from === 'node_modules') symlinkSync(join(root, from), target);
      else cpSync(join(root, from), target, { recursive: true });
    }
    const own = {
      SIGNALBOX_CLUSTER: `image-${process.pid}`,
      SIGNALBOX_HTTP_PORT: '0',
      SIGNALBOX_GRPC_PORT: '0',
    };
    const env = { PATH: process.env.PATH, HOME: scratch.folder, ...own, SIGNALBOX_WORKER_COUNT: '0' };
    const [, entry = '', word = ''] = /^ENTRYPOINT \["(\w+)", "(\w+)"\]$/m.exec(text) ?? [];
    assert.equal(entry, 'node');
    const node = execFile(process.execPath, [word], { cwd: image, env });
    const ended = new Promise((resolve) => node.once('close', resolve));
    let said = '';
    node.stdout?.on('data', (more: string) => {
      said += more;
    });
    try {
      await until('it serves', () => said.includes('node.serving'));
      const port = /"door":"rest".*"port":(\d+)/.exec(said)?.[1];
      const probes = pods.flatMap(({ pod }) => Object.values(pod.spec.containers[0]) as Probe[]);
      const paths = new Set(probes.flatMap((probe) => probe?.httpGet?.path ?? []));
      assert.deepEqual([...paths].sort(), ['/v2/health/live', '/v2/health/ready']);
      for (const path of paths) {
        const { status } = await fetch(`http://127.0.0.1:${port}${path}`);
        assert.ok(status === 200 || (path.endsWith('ready') && status === 503), `${path}: ${status}`);
      }
      assert.match(text, new RegExp(`EXPOSE ${settings.httpPort.fallback} ${settings.grpcPort.fallback} `));
    } finally {
      node.kill('SIGTERM');
      await ended;
      rmSync(image, { recursive: true, force: true });
    }
  });

  test('the commands of its README are such', async () => {
    const readme = read('README.md');
    const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
      block.replaceAll('\\\n', '').trim().split('\n'),
    );
    assert.ok(commands.length > 10);
    for (const text of commands) {
      if (text.startsWith('node runtime')) await isCommand(text, keyFile);
      else assert.match(text, /^(node examples\/cluster\/start\.mjs|curl -s |kubectl |helm )/);
    }
    const samples = readme.split('## How a cluster holds together')[0] ?? '';
    for (const [, path = ''] of samples.matchAll(/^\| `([^`]+)`/gm))
      assert.ok(existsSync(join(at, path)), path);
    for (const [path] of readme.matchAll(/examples\/cluster\/[\w./-]+\w/g))
      assert.ok(existsSync(join(root, path)), path);
  });
});
