// Each command of the README, and of what the one in examples/cluster says of clusters, is run: as it stands where it ends by itself, and for nodes with ports and a cluster name of
// the test's own given through the environment.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { skip } from '../nats/at-hand.js';
import { root, until } from './harness.js';

const readme = readFileSync(`${root}README.md`, 'utf8');
/** How clusters work; its samples stand before that, and their commands are looked at in test/examples. */
const reference =
  readFileSync(`${root}examples/cluster/README.md`, 'utf8').split('## How a cluster holds together')[1] ?? '';
const frontCommands = commandsOf(readme);
const clusterCommands = commandsOf(reference);
const commands = [...frontCommands, ...clusterCommands];
const frontExpected = [
  'npm start',
  'npm test',
  'curl -s localhost:8000/v2/models/digits/infer -d \'{"inputs":[',
  'node runtime --role worker',
  'node runtime --role router,scheduler,health --endpoint tcp://',
  'node runtime --role worker --join tcp://127.0.0.1:8003',
  'npm run nats',
  'node runtime --role router,scheduler,health --nats nats://127',
  'node runtime --role worker --nats nats://127.0.0.1:4222',
  'node runtime cluster status',
  'node runtime cluster members',
  'node runtime keys new --out keys/one',
  'node runtime keys trust PUBLIC_KEY --name two --trust-file k',
  'node runtime cluster drain worker-a',
  'node runtime cluster undrain worker-a',
  'node runtime models push examples/models/digits --nats nats:',
  'npm run bench -- failover',
  'npm run simulate -- --seeds 1000',
  'node runtime models check examples/models',
  'node runtime models load digits',
  'node runtime models list',
  'curl -s localhost:8000/v2/models/minilm/infer -d \'{"inputs":[',
  'curl -s localhost:8000/v2/models/super_resolution/infer?scale=3',
  'node runtime infer super_resolution --image examples/images/astronaut',
  'node runtime infer minilm --text "How do I reset my password?"',
  'node runtime infer super_resolution --image examples/images/passing.gif',
  'node runtime jobs --last 20 --failed',
  'node runtime jobs show ID',
];
const clusterExpected = [
  'node runtime keys new --out keys/one',
  'node runtime keys trust PUBLIC_KEY --name two --trust-file k',
  'node runtime keys list --trust-file keys/one/trusted',
  'node runtime --role router,scheduler,health --endpoint tcp://',
  'node runtime --role worker --join tcp://PUBLIC_KEY@10.0.0.1:8',
  'node runtime cluster drain worker-a',
  'node runtime cluster undrain worker-a',
  'node runtime cluster remove worker-a',
  'node runtime --role worker --name worker-a --nats nats://127',
  'node runtime models push examples/models/digits --nats nats:',
  'node runtime models stored --nats nats://127.0.0.1:4222',
  'node runtime models remove digits --nats nats://127.0.0.1:4222',
];
const python = `${root}.cache/python/bin/python`;
const environment = {
  ...process.env,
  SIGNALBOX_CLUSTER: `readme-${process.pid}`,
  SIGNALBOX_HTTP_PORT: '0',
  SIGNALBOX_GRPC_PORT: '0',
};
/** For nodes that need not show that all sample models serve: the first one does. */
const few = mkdtempSync(join(tmpdir(), 'signalbox-readme-few-'));
const small = { SIGNALBOX_WORKER_COUNT: '1', SIGNALBOX_MODELS: few };
const run = promisify(execFile);

interface Started {
  readonly child: ChildProcess;
  readonly lines: Record<string, unknown>[];
}

const started: Started[] = [];

/** A process group of its own, as a terminal gives one. */
function start(command: string, own: Record<string, string> = {}): Started {
  const child = spawn('sh', ['-c', `exec ${command}`], {
    cwd: root,
    env: { ...environment, ...own },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const lines: Record<string, unknown>[] = [];
  let rest = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    const parts = (rest + bytes.toString()).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts)
      if (part.startsWith('{')) lines.push(JSON.parse(part) as Record<string, unknown>);
  });
  const one = { child, lines };
  started.push(one);
  return one;
}

function has(one: Started, event: string, fields: Record<string, unknown> = {}): boolean {
  return one.lines.some(
    (line) => line.event === event && Object.entries(fields).every(([key, value]) => line[key] === value),
  );
}

function commandsOf(text: string): string[] {
  return [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) =>
    (block ?? '').split(/\n(?=npm|node|curl)/).map((command) => command.trim()),
  );
}

/** The first that begins so. */
function commandOf(words: string): string {
  return commands.find((command) => command.startsWith(words)) ?? '';
}

function portOf(one: Started, door: string): number {
  return Number(one.lines.find((line) => line.event === 'door.opened' && line.door === door)?.port);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function interrupt({ child }: Started): Promise<number | null> {
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  process.kill(-(child.pid as number), 'SIGINT');
  return ended;
}

describe('the commands of the README', () => {
  let node: Started;
  before(async () => {
    cpSync(`${root}examples/models/digits`, join(few, 'digits'), { recursive: true });
    node = start('npm start');
    await until('npm start is ready', () => has(node, 'router.moved', { to: 'ready' }), 60_000);
    await until('its doors are open', () => has(node, 'node.serving'));
  });
  after(() => {
    for (const { child } of started) {
      if (child.exitCode === null && child.signalCode === null)
        process.kill(-(child.pid as number), 'SIGKILL');
    }
    rmSync(few, { recursive: true, force: true });
  });

  test('are these, no more and no fewer', () => {
    const begin = (command: string): string => (command.split('\n')[0] ?? '').slice(0, 60);
    assert.deepEqual(frontCommands.map(begin), frontExpected.map(begin));
    assert.deepEqual(clusterCommands.map(begin), clusterExpected.map(begin));
    const asOrder = (command: string): boolean => /^node runtime (cluster|keys|models) /.test(command);
    for (const command of clusterCommands.filter(asOrder)) {
      const twin = frontCommands.find((other) => begin(other) === begin(command));
      if (twin !== undefined) assert.equal(command, twin, 'both say the same, and one of them is run');
    }
  });

  test('curl is told that the picture is a 0', async () => {
    const body = /-d '([\s\S]*)'/.exec(commandOf('curl'))?.[1] as string;
    const answer = await fetch(`http://127.0.0.1:${portOf(node, 'rest')}/v2/models/digits/infer`, {
      method: 'POST',
      body,
    });
    const told = (await answer.json()) as { outputs: { name: string; data: number[] }[] };
    assert.deepEqual(told.outputs.find(({ name }) => name === 'label')?.data, [0]);
  });

  test('the latest jobs are listed, and the story of the one above is told', async () => {
    const port = portOf(node, 'rest');
    const env = { ...environment, SIGNALBOX_HTTP_PORT: String(port) };
    const failed = await run('sh', ['-c', commandOf('node runtime jobs --last')], { cwd: root, env });
    assert.match(failed.stdout, /remembers no such job/);
    const all = await run(
      'sh',
      ['-c', `${commandOf('node runtime jobs --last').replace(' --failed', '')} --json`],
      {
        cwd: root,
        env,
      },
    );
    const { ended } = JSON.parse(all.stdout) as { ended: { id: string }[] };
    const story = await run(
      'sh',
      ['-c', commandOf('node runtime jobs show').replace('ID', ended[0]?.id ?? '')],
      {
        cwd: root,
        env,
      },
    );
    assert.match(story.stdout, /^ {2}model {5}digits:1 \(1 row, 256 bytes\)$/m);
  });

  test('curl is told vectors for its sentences', async () => {
    const body = /-d '([\s\S]*)'/.exec(commandOf('curl -s localhost:8000/v2/models/minilm'))?.[1] as string;
    const url = `http://127.0.0.1:${portOf(node, 'rest')}/v2/models/minilm/infer`;
    const answer = await fetch(url, { method: 'POST', body });
    const told = (await answer.json()) as { outputs: { name: string; shape: number[] }[] };
    assert.deepEqual(
      told.outputs.map(({ name, shape }) => [name, shape]),
      [['embedding', [2, 384]]],
    );
  });

  test('pictures, an animation and a sentence become what is said', async () => {
    const port = String(portOf(node, 'rest'));
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-readme-'));
    const here = (command: string): string =>
      commandOf(command)
        .replace('8000', port)
        .replace(/larger\.(?=png|webp)/, `${folder}/larger.`);
    const sh = async (command: string): Promise<string> => {
      const env = { ...environment, SIGNALBOX_HTTP_PORT: port };
      return (await run('sh', ['-c', here(command)], { cwd: root, env })).stdout;
    };
    const sideOf = async (name: string): Promise<number> =>
      (await sharp(join(folder, name)).metadata()).width;
    try {
      await sh('curl -s localhost:8000/v2/models/super_resolution');
      assert.equal(await sideOf('larger.png'), 768);
      const one = 'node runtime infer super_resolution --image examples/images/';
      assert.match(await sh(`${one}astronaut`), /larger\.png: image\/png, \d+ bytes/);
      assert.equal(await sideOf('larger.png'), 512);
      assert.match(await sh(`${one}passing`), /larger\.webp: 8 frames, [\d.]+ fps/);
      assert.equal(await sideOf('larger.webp'), 192);
      assert.equal((JSON.parse(await sh('node runtime infer minilm')) as number[]).length, 384);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('the sample models have no mistakes', async () => {
    const { stdout } = await run('sh', ['-c', commandOf('node runtime models check')], { cwd: root });
    assert.match(stdout, /^examples\/models: no mistakes; /m);
  });

  test('a model is loaded again while it serves', async () => {
    const env = { ...environment, SIGNALBOX_HTTP_PORT: String(portOf(node, 'rest')) };
    const { stdout } = await run('sh', ['-c', commandOf('node runtime models load')], { cwd: root, env });
    assert.match(stdout, /^digits:1 {2}READY on cpu in 2 workers$/m);
    const list = await run('sh', ['-c', commandOf('node runtime models list')], { cwd: root, env });
    assert.match(list.stdout, /^digits:1 +READY on cpu in 2 workers, about 1 MB in each$/m);
  });

  test('the Python snippet prints ten probabilities', {
    skip: existsSync(python) ? false : 'tritonclient is not installed in .cache/python',
  }, async () => {
    const snippet = /```python\n([\s\S]*?)```/.exec(readme)?.[1] as string;
    const { stdout } = await run(python, ['-c', snippet.replace('8001', String(portOf(node, 'grpc')))]);
    assert.equal(stdout.replace(/[[\]]/g, '').trim().split(/\s+/).length, 10);
  });

  test('a second shell adds a worker, and Ctrl-C ends both with 0', async () => {
    const worker = start(commandOf('node runtime --role worker'), { SIGNALBOX_NAME: 'second' });
    await until('its workers serve', () => has(worker, 'worker.moved', { to: 'serving' }), 60_000);
    assert.equal(await interrupt(worker), 0);
    assert.equal(await interrupt(node), 0);
  });

  test('nodes with roles of their own find each other over tcp', async () => {
    const port = await freePort();
    const own = { ...small, SIGNALBOX_NAME: 'apart' };
    const here = (command: string): string => command.replace('8003', String(port));
    const core = start(here(commandOf('node runtime --role router')), own);
    const worker = start(here(commandOf('node runtime --role worker --join')), own);
    await until('they are ready together', () => has(core, 'router.moved', { to: 'ready' }), 60_000);
    assert.equal(await interrupt(worker), 0);
    assert.equal(await interrupt(core), 0);
  });

  test('nodes find each other by NATS, and say who is there', { skip }, async () => {
    const port = await freePort();
    const own = { ...small, SIGNALBOX_NAME: 'by-nats' };
    const here = (command: string): string => command.replace('4222', String(port));
    const nats = start(`${commandOf('npm run nats')} -- --port ${port}`);
    const core = start(here(commandOf('node runtime --role router,scheduler,health --nats')), own);
    const worker = start(here(commandOf('node runtime --role worker --nats')), {
      ...small,
      SIGNALBOX_NAME: 'worker-a',
    });
    await until('they are ready together', () => has(core, 'router.moved', { to: 'ready' }), 60_000);
    await until('its doors are open', () => has(core, 'node.serving'));
    const env = { ...environment, SIGNALBOX_HTTP_PORT: String(portOf(core, 'rest')) };
    const status = await run('sh', ['-c', commandOf('node runtime cluster status')], { cwd: root, env });
    assert.match(status.stdout, /list +kept by NATS/);
    const members = await run('sh', ['-c', commandOf('node runtime cluster members')], { cwd: root, env });
    assert.equal(members.stdout.split('\n').filter((line) => /^(by-nats|worker-a)\./.test(line)).length, 2);
    const order = async (verb: string, more = ''): Promise<string> => {
      const command = `${commandOf(`node runtime cluster ${verb}`)} ${more}`;
      return (await run('sh', ['-c', command], { cwd: root, env })).stdout;
    };
    assert.match(await order('drain', '--force'), /^worker-a\.\S+ is drained/);
    assert.match(await order('undrain'), /^worker-a\.\S+ serves again/);
    const models = async (verb: string): Promise<string> => {
      const command = here(commandOf(`node runtime models ${verb}`));
      return (await run('sh', ['-c', command], { cwd: root, env: environment })).stdout;
    };
    assert.match(await models('push'), /^digits:1 is in the store/);
    assert.match(await models('stored'), /^digits:1 {2}\w{10} {2}.*on every node$/m);
    assert.equal(await models('remove'), 'digits:1 is taken out of the store\n');
    const ended = new Promise((resolve) => worker.child.once('exit', resolve));
    assert.match(await order('remove', '--force'), /^worker-a\.\S+ is gone/);
    assert.equal(await ended, 0);
    const again = start(here(commandOf('node runtime --role worker --name worker-a')), small);
    await until('its workers serve', () => has(again, 'worker.moved', { to: 'serving' }), 60_000);
    for (const one of [again, core, nats]) assert.equal(await interrupt(one), 0);
  });

  test('nodes with keys find each other over tcp', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-readme-'));
    const address = `127.0.0.1:${await freePort()}`;
    const own = { ...small, SIGNALBOX_NAME: 'keyed' };
    const keysOf = new Map<string, string>();
    const here = (command: string, of = ''): string =>
      command
        .replace('10.0.0.1:8003', address)
        .replace(/ keys\//g, ` ${folder}/`)
        .replace('PUBLIC_KEY', keysOf.get(of) ?? '');
    const sh = async (command: string, of = ''): Promise<string> =>
      (await run('sh', ['-c', here(command, of)], { cwd: root, env: environment })).stdout;
    const twin = (command: string): string => command.replace('two', 'one ').replaceAll('/one/', '/two/');
    const ending = (words: string): string =>
      commands.find((command) => command.startsWith('node runtime --role') && command.endsWith(words)) ?? '';
    try {
      const made = commandOf('node runtime keys new');
      for (const name of ['one', 'two']) {
        const said = await sh(made.replace('one', name));
        keysOf.set(name, /^public key +(\S+)/.exec(said)?.[1] as string);
      }
      await sh(commandOf('node runtime keys trust'), 'two');
      await sh(twin(commandOf('node runtime keys trust')), 'one');
      assert.equal(await sh(commandOf('node runtime keys list')), `${keysOf.get('two')}  two\n`);
      const core = start(here(ending('keys/one/node.key')), own);
      const worker = start(here(ending('keys/two/node.key'), 'one'), own);
      await until('they are ready together', () => has(core, 'router.moved', { to: 'ready' }), 60_000);
      for (const one of [worker, core]) assert.equal(await interrupt(one), 0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('the proofs run, here in short', async () => {
    const cwd = root;
    const failover = await run(
      'sh',
      ['-c', `${commandOf('npm run bench')} --kills 2 --stops 1 --recoveries 1`],
      { cwd },
    );
    assert.match(failover.stdout, /clientErrors +0/);
    const simulated = await run('sh', ['-c', commandOf('npm run simulate').replace('1000', '30')], { cwd });
    assert.match(simulated.stdout, /0 violations/);
    assert.match((await run('npm', ['run', 'bench'], { cwd })).stdout, /failover/);
    assert.match((await run('node', ['runtime', '--help'], { cwd })).stdout, /--http-port/);
  });
});
