// With every worker frozen and a deadline of 200 ms in the request (none at the client): how late the server's last word
// comes, and whether it says where the request waited.
import { GrpcClient, rowOf } from '../processes/client.js';
import { apart, pause, RunningNode, Scratch } from '../processes/harness.js';
import { signal } from '../processes/proc.js';
import { ModelFolder } from '../processes/repository.js';
import { type Args, quantile, say } from './figures.js';

export const about = 'all workers frozen, a 200 ms deadline: how late the server says so';
export const flags = { clients: 'clients at once (32)', rounds: 'requests of each (20)' };

const deadlineMs = 200;
const patienceMs = 3000;

export async function run(args: Args): Promise<Record<string, number>> {
  const scratch = new Scratch();
  const models = new ModelFolder(scratch).simulated('steady', { alphaMs: 5 }).folder;
  const settings = { 'worker-count': 3, 'hung-kill-ms': 600_000 };
  const node = new RunningNode({ flags: { ...apart(scratch, models), ...settings } });
  const lateMs: number[] = [];
  let unanswered = 0;
  let pathless = 0;
  try {
    await node.ready();
    const client = new GrpcClient(node.grpcPort);
    for (let n = 0; n < 200; n++) await client.infer(rowOf('steady', n));
    for (const { pid } of node.workers()) signal(pid, 'SIGSTOP');
    const rounds = args.number('rounds', 20);
    const clients = args.number('clients', 32);
    const asking = Array.from({ length: clients }, async (_, at) => {
      // Each begins at a time of its own, as clients do.
      await pause((deadlineMs * at) / clients);
      for (let round = 0; round < rounds; round++) {
        const told = await Promise.race([
          client.infer({ ...rowOf('steady', at), timeoutMs: deadlineMs }),
          patience(),
        ]);
        if (told?.status !== 'DEADLINE_EXCEEDED') unanswered++;
        else {
          lateMs.push(told.toldAt - told.sentAt - deadlineMs);
          if (!/queued@.*expired@/.test(told.path)) pathless++;
        }
      }
    });
    await Promise.all(asking);
    client.close();
  } finally {
    await node.dispose();
    scratch.remove();
  }
  say(
    `  ${lateMs.length} requests: p50 ${quantile(lateMs, 0.5).toFixed(2)} ms late, most ${Math.max(...lateMs).toFixed(2)}`,
  );
  return { lateP99Ms: quantile(lateMs, 0.99), unanswered, pathless };
}

function patience(): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(undefined), patienceMs).unref();
  });
}
