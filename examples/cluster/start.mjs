// A whole cluster on this machine from one command: three NATS nodes, two routers, two schedulers and four nodes with a
// worker each, as processes of their own. Ctrl-C drains and ends all of them, NATS last.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const endWaitMs = 30_000;
const natsWaitMs = 300_000;
const usage = `Usage: node examples/cluster/start.mjs [options]
  --nats-port N    the first of three for NATS [4222]
  --http-port N    REST of the first router; its gRPC and both of the second follow it [8000]
  --models FOLDER  the models of every node [examples/models]
  --workers N      nodes with a worker each, from 1 to 16 [4]
  --verbose        every line of every log, not only what went wrong

Both routers answer for all models. Ask one with curl, or who is there: node runtime cluster members --http-port 8000`;

const options = {
  'nats-port': { type: 'string', default: '4222' },
  'http-port': { type: 'string', default: '8000' },
  models: { type: 'string', default: join(root, 'examples/models') },
  workers: { type: 'string', default: '4' },
  verbose: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
};

function wholeOf(name, given, least, most) {
  const value = Number(given);
  if (/^\d+$/.test(given) && value >= least && value <= most) return value;
  throw new Error(`--${name} is ${given}; allowed is a whole number from ${least} to ${most}`);
}

function read() {
  const { values } = parseArgs({ options });
  return {
    ...values,
    natsPort: wholeOf('nats-port', values['nats-port'], 1, 65_533),
    httpPort: wholeOf('http-port', values['http-port'], 1, 65_532),
    workers: wholeOf('workers', values.workers, 1, 16),
  };
}

/** Each in a process group of its own, so that a terminal's Ctrl-C reaches this process alone. */
class Process {
  constructor(name, args, hear) {
    this.name = name;
    this.child = spawn(args[0], args.slice(1), {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.ended = new Promise((resolve) => this.child.once('close', (code) => resolve(code)));
    this.child.once('error', (fault) => console.error(`${name}: ${fault.message}`));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        for (const line of lines) hear(name, line);
      });
    }
  }

  signal(name) {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    try {
      process.kill(-this.child.pid, name);
    } catch {
      // It has ended meanwhile.
    }
  }

  async end() {
    const late = setTimeout(() => this.signal('SIGKILL'), endWaitMs);
    this.signal('SIGTERM');
    await this.ended;
    clearTimeout(late);
  }
}

/** Resolves with the addresses; NATS may have to be fetched or built before. */
function startNats(port, started, hear) {
  return new Promise((resolve, reject) => {
    const args = ['npm', 'run', '--silent', 'nats', '--', '--nodes', '3', '--port', String(port)];
    const late = setTimeout(() => reject(new Error('NATS is not there in time')), natsWaitMs);
    const nats = new Process('nats', args, (name, line) => {
      hear(name, line);
      if (!line.startsWith('nats://')) return;
      clearTimeout(late);
      resolve(line);
    });
    started.push(nats);
    void nats.ended.then(() => {
      clearTimeout(late);
      reject(new Error('NATS could not be started'));
    });
  });
}

function nodesOf({ httpPort, models, workers }, urls, folder) {
  const node = (name, role, ...more) => {
    const own = ['--name', name, '--role', role, '--endpoint', `ipc://${join(folder, `${name}.sock`)}`];
    return { name, args: [...own, '--nats', urls, '--models', models, ...more] };
  };
  const ports = (first) => ['--http-port', String(first), '--grpc-port', String(first + 1)];
  return [
    node('scheduler-1', 'scheduler,health'),
    node('scheduler-2', 'scheduler,health'),
    node('router-1', 'router', ...ports(httpPort)),
    node('router-2', 'router', ...ports(httpPort + 2)),
    ...Array.from({ length: workers }, (_, index) =>
      node(`worker-${index + 1}`, 'worker', '--worker-count', '1'),
    ),
  ];
}

function hearer(verbose) {
  return (name, line) => {
    let told;
    try {
      told = JSON.parse(line);
    } catch {
      console.log(`${name}: ${line}`);
      return;
    }
    if (verbose) console.log(`${name}: ${line}`);
    else if (told.event === 'door.opened') console.log(`${name}: ${told.door} at ${told.host}:${told.port}`);
    else if (told.event === 'node.serving') console.log(`${name}: serves`);
    // On a busy machine many are doubted for a moment.
    else if (told.level >= 40 && told.event !== 'peer.judged')
      console.log(`${name}: ${told.event} ${told.reason ?? told.hint ?? ''}`.trimEnd());
  };
}

async function main() {
  const given = read();
  if (given.help) {
    console.log(usage);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-cluster-'));
  const started = [];
  let stopping;
  // Routers first, so that nobody asks who could not be answered; NATS last, so that all can say goodbye.
  const stop = () => {
    stopping ??= (async () => {
      for (const group of [/^router/, /^worker/, /^scheduler/, /^nats/]) {
        await Promise.all(started.filter(({ name }) => group.test(name)).map((one) => one.end()));
      }
      rmSync(folder, { recursive: true, force: true });
    })();
    return stopping;
  };
  process.on('exit', () => {
    for (const one of started) one.signal('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  process.on('SIGINT', () => void stop().then(() => process.exit(0)));
  process.on('SIGTERM', () => void stop().then(() => process.exit(0)));
  const hear = hearer(given.verbose);
  try {
    const urls = await startNats(given.natsPort, started, hear);
    const nodes = nodesOf(given, urls, folder);
    let running = nodes.length;
    for (const { name, args } of nodes) {
      if (stopping !== undefined) return;
      const node = new Process(name, [process.execPath, 'runtime', ...args], hear);
      started.push(node);
      void node.ended.then((code) => {
        running -= 1;
        if (stopping !== undefined) return;
        console.log(`${name}: has ended with ${code}${running > 0 ? '; the others go on' : ''}`);
        if (running > 0) return;
        console.error('cluster: no node is left, so NATS is ended too');
        process.exitCode = 1;
        void stop();
      });
    }
  } catch (fault) {
    if (stopping === undefined) {
      console.error(`cluster: ${fault.message}`);
      process.exitCode = 1;
    }
    await stop();
  }
}

try {
  await main();
} catch (fault) {
  console.error(`cluster: ${fault.message}\n\n${usage}`);
  process.exitCode = 2;
}
