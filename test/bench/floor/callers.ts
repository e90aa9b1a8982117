// One client that asks, waits and asks again, for latencies: gRPC and HTTP with bytes in and bytes out, and ZeroMQ. The
// same caller is used for the system and for the floor, so that its own cost is in both.
import { Agent, request } from 'node:http';
import * as grpc from '@grpc/grpc-js';
import { Dealer } from 'zeromq';

/** Asks once; resolves with the answer. */
export type Caller = () => Promise<unknown>;

const asItIs = (bytes: Buffer): Buffer => bytes;

export function grpcCaller(port: number, message: Buffer): Caller {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    'grpc.use_local_subchannel_pool': 1,
  });
  const path = '/inference.GRPCInferenceService/ModelInfer';
  return () =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, asItIs, asItIs, message, (fault, answer) => {
        if (fault === null && answer !== undefined) resolve(answer);
        else reject(fault ?? new Error('no answer'));
      });
    });
}

export function httpCaller(port: number, path: string, body: Buffer): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  return () =>
    new Promise((resolve, reject) => {
      const asked = request({ port, host: '127.0.0.1', method: 'POST', path, agent, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          const whole = Buffer.concat(chunks);
          if (answer.statusCode === 200) resolve(whole);
          else reject(new Error(`${answer.statusCode} ${whole.toString()}`));
        });
      });
      asked.on('error', reject);
      asked.end(body);
    });
}

/** A round trip of two frames: what a header and a tensor cost to carry there and back. */
export function zeromqCaller(endpoint: string, header: Buffer, tensor: Buffer): Caller {
  const dealer = new Dealer({ linger: 0 });
  dealer.connect(endpoint);
  return async () => {
    await dealer.send([Buffer.from(header), Buffer.from(tensor)]);
    const frames = await dealer.receive();
    return frames.at(-1) as Buffer;
  };
}

/** The time of each of `count` calls in a row, in milliseconds. */
export async function timeCalls(call: Caller, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < count; at++) {
    const began = performance.now();
    await call();
    times.push(performance.now() - began);
  }
  return times;
}
