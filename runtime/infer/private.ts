// A node for one request: started without a word where no server runs, and stopped when it is answered.
import { pause } from '../clock.js';
import { loadConfig } from '../config/load.js';
import type { Log, LogFields } from '../log.js';
import { Node } from '../node/node.js';
import { planOf } from '../node/plan.js';
import { ask } from './asking.js';

export interface PrivateNode {
  readonly url: string;
  stop(): Promise<void>;
}

const lookMs = 25;

export async function startPrivateNode(
  models: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<PrivateNode> {
  const own = ['--role', 'all', '--join', '', '--endpoint', '', '--http-port', '0', '--grpc-port', '0'];
  const small = ['--worker-count', '1', '--log-level', 'silent', '--cluster', `infer-${process.pid}`];
  const args = [...own, ...small, ...(models === undefined ? [] : ['--models', models])];
  const { config } = loadConfig(args, environment);
  const log = new PortLog();
  const node = new Node(config, planOf(config), log);
  await node.start();
  return { url: `http://${config.host}:${log.port}`, stop: () => node.stop() };
}

/** Resolves when the model is ready; rejects with the reason when it never will be. */
export async function modelReady(url: string, model: string): Promise<void> {
  for (;;) {
    const { status, text } = await ask(url, `/v2/models/${encodeURIComponent(model)}/ready`);
    const reason = (JSON.parse(text) as { error?: string }).error ?? '';
    if (status === 200) return;
    // What loads gets ready; who is asked before the first word of a worker says so.
    if (!/is LOADING|no worker has/.test(reason)) throw new Error(reason);
    await pause(lookMs);
  }
}

/** Keeps nothing but the port of the door. */
class PortLog implements Log {
  port = 0;
  debug(): void {}
  warn(): void {}
  error(): void {}
  info(event: string, fields: LogFields = {}): void {
    if (event === 'door.opened' && fields['door'] === 'rest') this.port = Number(fields['port']);
  }
  takes(): boolean {
    return false;
  }
}
