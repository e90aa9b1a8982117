// The floor that the system is compared with, as a process of its own: a bare grpc-js echo, a bare node:http echo and a
// bare ZeroMQ echo, with nothing behind them.
import { fork } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { Router } from 'zeromq';

export interface Floor {
  readonly pid: number;
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly endpoint: string;
  end(): void;
}

interface Places {
  readonly grpcPort: number;
  readonly httpPort: number;
}

/** Starts the floor in a child, which ends when this process does. */
export function startFloor(endpoint: string): Promise<Floor> {
  const child = fork(fileURLToPath(import.meta.url), [endpoint], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the floor ended with ${code}`)));
    child.once('message', (places: Places) => {
      resolve({ ...places, pid: child.pid ?? 0, endpoint, end: () => void child.kill('SIGKILL') });
    });
  });
}

const asItIs = (bytes: Buffer): Buffer => bytes;

async function serveGrpc(): Promise<number> {
  const server = new grpc.Server({
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
  });
  server.register<Buffer, Buffer>(
    '/inference.GRPCInferenceService/ModelInfer',
    (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
      done(null, call.request),
    asItIs,
    asItIs,
    'unary',
  );
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (fault, port) => {
      if (fault === null) resolve(port);
      else reject(fault);
    });
  });
}

async function serveHttp(): Promise<number> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
      response.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function serveZeromq(endpoint: string): Promise<void> {
  const router = new Router({ linger: 0, sendTimeout: 0 });
  await router.bind(endpoint);
  for await (const frames of router) void router.send(frames);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.on('disconnect', () => process.exit(0));
  const places: Places = { grpcPort: await serveGrpc(), httpPort: await serveHttp() };
  void serveZeromq(process.argv[2] ?? '');
  process.send?.(places);
}
