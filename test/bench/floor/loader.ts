// Load from outside: h2load where it is installed, else processes of our own. Both send the same bytes from so many
// connections, one request at a time on each.
import { fork, spawn, spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Target {
  readonly kind: 'grpc' | 'http';
  readonly port: number;
  readonly path: string;
  readonly body: Buffer;
}

export interface Pressure {
  readonly clients: number;
  readonly seconds: number;
}

export interface Answered {
  readonly perSecond: number;
  readonly count: number;
  readonly failed: number;
}

export interface Loader {
  readonly name: string;
  load(target: Target, pressure: Pressure): Promise<Answered>;
}

export const inferPath = '/inference.GRPCInferenceService/ModelInfer';
export const streamPath = '/inference.GRPCInferenceService/ModelStreamInfer';

/** A message as gRPC frames it. */
export function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

export function findLoader(folder: string): Loader {
  const found = spawnSync('h2load', ['--version'], { encoding: 'utf8' });
  if (found.status === 0)
    return { name: found.stdout.trim().replace('h2load ', 'h2load, '), load: h2load(folder) };
  return { name: 'own processes (h2load is not installed)', load: ownLoad };
}

const grpcHeaders = ['-H', 'content-type: application/grpc', '-H', 'te: trailers'];

function h2load(folder: string): Loader['load'] {
  let files = 0;
  return async (target, { clients, seconds }) => {
    files++;
    const file = join(folder, `body-${files}`);
    writeFileSync(file, target.body);
    const kind = target.kind === 'grpc' ? grpcHeaders : ['--h1', '-H', 'content-type: application/json'];
    const args = [
      '-D',
      `${Math.round(seconds * 1000)}ms`,
      '--warm-up-time',
      '200ms',
      '-c',
      String(clients),
      '-m',
      '1',
      '-d',
      file,
      ...kind,
    ];
    const said = await output('h2load', [...args, `http://127.0.0.1:${target.port}${target.path}`]);
    rmSync(file);
    const perSecond = Number(/, ([\d.]+) req\/s/.exec(said)?.[1] ?? Number.NaN);
    const [count = 0, failed = 0, errored = 0] = ['succeeded', 'failed', 'errored'].map((word) =>
      Number(new RegExp(`(\\d+) ${word}`).exec(said)?.[1] ?? 0),
    );
    if (Number.isNaN(perSecond))
      throw new Error(`h2load said nothing to be understood: ${said.slice(0, 400)}`);
    return { perSecond, count, failed: failed + errored };
  };
}

function output(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.once('error', reject);
    child.once('close', () => resolve(said));
  });
}

const processes = 2;

async function ownLoad(target: Target, { clients, seconds }: Pressure): Promise<Answered> {
  const each = Math.max(1, Math.ceil(clients / processes));
  const order = { ...target, body: target.body.toString('base64'), clients: each, seconds };
  const parts = Array.from({ length: clients === 1 ? 1 : processes }, () => ownPart(JSON.stringify(order)));
  const answered = await Promise.all(parts);
  const sum = (pick: (part: Answered) => number): number =>
    answered.reduce((total, part) => total + pick(part), 0);
  return {
    perSecond: sum((part) => part.perSecond),
    count: sum((part) => part.count),
    failed: sum((part) => part.failed),
  };
}

function ownPart(order: string): Promise<Answered> {
  const child = fork(fileURLToPath(import.meta.url), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`a load generator ended with ${code}`)));
    child.once('message', (answered: Answered) => {
      child.disconnect();
      resolve(answered);
    });
    child.send(order);
  });
}

interface Order extends Pressure {
  readonly kind: Target['kind'];
  readonly port: number;
  readonly path: string;
  readonly body: string;
}

async function generate(order: Order): Promise<Answered> {
  const body = Buffer.from(order.body, 'base64');
  const ask = order.kind === 'grpc' ? askGrpc(order, body) : askHttp(order, body);
  let count = 0;
  let failed = 0;
  const began = performance.now();
  const until = began + order.seconds * 1000;
  const loop = async (): Promise<void> => {
    const one = ask();
    while (performance.now() < until) {
      if (await one()) count++;
      else failed++;
    }
  };
  await Promise.all(Array.from({ length: order.clients }, loop));
  return { perSecond: (count * 1000) / (performance.now() - began), count, failed };
}

function askGrpc({ port, path }: Order, body: Buffer): () => () => Promise<boolean> {
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  return () => {
    const session = connect(`http://127.0.0.1:${port}`);
    return () =>
      new Promise((resolve) => {
        const stream = session.request(headers);
        let status = '';
        stream.on('response', (given) => {
          status = String(given['grpc-status'] ?? status);
        });
        stream.on('trailers', (given) => {
          status = String(given['grpc-status'] ?? '');
        });
        stream.on('error', () => resolve(false));
        stream.on('close', () => resolve(status === '0'));
        stream.resume();
        stream.end(body);
      });
  };
}

function askHttp({ port, path }: Order, body: Buffer): () => () => Promise<boolean> {
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  return () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    return () =>
      new Promise((resolve) => {
        const asked = request({ port, host: '127.0.0.1', method: 'POST', path, agent, headers }, (answer) => {
          answer.on('end', () => resolve(answer.statusCode === 200));
          answer.resume();
        });
        asked.on('error', () => resolve(false));
        asked.end(body);
      });
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.on('disconnect', () => process.exit(0));
  process.on('message', (order: string) => {
    void generate(JSON.parse(order) as Order).then((answered) => process.send?.(answered));
  });
}
