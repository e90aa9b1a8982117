// The standard gRPC health service on a real node tells what is: the server and its models serve while a worker that is
// trusted can run them, and not while none can.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import { protoPath } from 'grpc-health-check';
import { apart, Scratch, startNode, until } from './harness.js';
import { signal } from './proc.js';
import { ModelFolder } from './repository.js';

interface HealthClient extends grpc.Client {
  check(
    asked: { service: string },
    told: (fault: grpc.ServiceError | null, answer?: { status: string }) => void,
  ): void;
}

function healthClient(port: number): HealthClient {
  const service = loader.loadSync(protoPath, { enums: String })['grpc.health.v1.Health'];
  const Client = grpc.makeGenericClientConstructor(service as grpc.ServiceDefinition, 'Health');
  return new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure()) as unknown as HealthClient;
}

test('health by name follows the workers', async () => {
  const scratch = new Scratch();
  const node = await startNode(apart(scratch, new ModelFolder(scratch).simulated('steady').folder));
  const client = healthClient(node.grpcPort);
  const status = (service: string): Promise<string> =>
    new Promise((resolve) => {
      client.check({ service }, (fault, answer) => resolve(answer?.status ?? String(fault?.code)));
    });
  const both = async (wanted: string): Promise<boolean> =>
    (await status('')) === wanted && (await status('steady')) === wanted;
  try {
    await until('it says SERVING', () => both('SERVING'));
    assert.equal(await status('nobody'), String(grpc.status.NOT_FOUND));
    const workers = node.workers();
    for (const { pid } of workers) signal(pid, 'SIGSTOP');
    await until('it says NOT_SERVING without workers', () => both('NOT_SERVING'));
    for (const { pid } of workers) signal(pid, 'SIGCONT');
    await until('it says SERVING again', () => both('SERVING'));
  } finally {
    client.close();
    await node.dispose();
    scratch.remove();
  }
});
