// A node for as long as its process: started, and ended when the process is asked to end.
import { now } from './clock.js';
import type { Config } from './config/schema.js';
import { letHeapGrow } from './heap.js';
import { createLog } from './log.js';
import { Node } from './node/node.js';
import { planOf } from './node/plan.js';
import { isTerminal, print } from './print.js';

const exitInterrupted = 130;
const repeatMs = 500;

export async function serve(config: Config): Promise<void> {
  letHeapGrow();
  const plan = planOf(config);
  const log = createLog(config.logLevel, plan.self.id);
  const node = new Node(config, plan, log);
  let askedAt: number | undefined;
  const stop = (): void => {
    // npm hands a Ctrl-C on that the terminal has already sent: the second of a pair is no second wish.
    if (askedAt !== undefined && now() - askedAt < repeatMs) return;
    if (askedAt !== undefined) process.exit(exitInterrupted);
    askedAt = now();
    void node.stop().then(() => process.exit(0));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  await node.start();
  log.info('node.serving', { roles: config.role, workers: plan.workerNames.length });
  if (plan.serves.has('router') && isTerminal()) node.onReady(() => print(`ready: ${node.about()}`));
}
