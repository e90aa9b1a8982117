// `node runtime cluster drain`, `undrain` and `remove`: gives a node an order and waits until that has come about.
import { ask } from '../ask.js';
import { now, pause } from '../clock.js';
import { ConfigError } from '../config/load.js';
import type { ClusterView, LeftThere, MemberView, NodeAction, NodeOrdered } from '../doors/cluster.js';

export interface Said {
  readonly text: string;
  /** Whether the command ends with 0. */
  readonly isGood: boolean;
}

interface Outcome {
  readonly node: string;
  readonly state: NodeOrdered['state'];
  readonly left: LeftThere | undefined;
  readonly isDone: boolean;
  readonly waitedMs: number;
}

const waitUsualMs = 60_000;
const waitMostMs = 86_400_000;
const lookMs = 200;

export async function orderText(
  action: NodeAction,
  words: readonly string[],
  given: ReadonlyMap<string, string>,
  base: string,
  tell: (line: string) => void,
): Promise<Said> {
  const waitMs = waitOf(given.get('--wait'));
  if (action === 'undrain' && given.has('--force'))
    throw new ConfigError('undrain needs no --force: nothing stands against it');
  const [node, ...more] = words;
  if (node === undefined || more.length > 0) {
    const wrong = node === undefined ? 'needs a node' : `takes one node; ${more.join(' ')} is too many`;
    throw new ConfigError(`cluster ${action} ${wrong}; ${await nodesText(base)}`);
  }
  const view = await look(base);
  const path = `${base}/v2/signalbox/cluster/${encodeURIComponent(node)}/${action}`;
  const body = JSON.stringify(given.has('--force') ? { force: true } : {});
  const ordered = (await ask(path, base, body)) as NodeOrdered;
  const outcome = await waitFor(action, ordered, view.self, base, waitMs, tell);
  const text = given.has('--json') ? JSON.stringify(outcome, null, 2) : outcomeText(action, outcome, waitMs);
  return { text, isGood: outcome.isDone || waitMs === 0 };
}

async function nodesText(base: string): Promise<string> {
  const view = await look(base).catch(() => undefined);
  if (view === undefined) return 'node runtime cluster members lists them';
  const nodes = view.members.filter(({ roles }) => !roles.includes('worker'));
  return `there are ${nodes.map(({ id }) => id).join(', ')}`;
}

/** What is left of it, in words; empty where nothing is. */
export function leftText({ requests, waiting, workers }: LeftThere): string {
  const parts = [
    [requests, 'request', 'requests'],
    [waiting, 'job waiting', 'jobs waiting'],
    [workers, 'worker', 'workers'],
  ] as const;
  return parts
    .flatMap(([count, one, many]) => (count === 0 ? [] : [`${count} ${count === 1 ? one : many}`]))
    .join(', ');
}

function waitOf(given: string | undefined): number {
  if (given === undefined) return waitUsualMs;
  const waitMs = /^\d+(\.\d+)?$/.test(given) ? Number(given) * 1000 : Number.NaN;
  if (waitMs >= 0 && waitMs <= waitMostMs) return waitMs;
  throw new ConfigError(
    `--wait is ${JSON.stringify(given)}; allowed are seconds, from 0 to ${waitMostMs / 1000}`,
  );
}

async function look(base: string): Promise<ClusterView> {
  return (await ask(`${base}/v2/signalbox/cluster`, base)) as ClusterView;
}

async function waitFor(
  action: NodeAction,
  { node, state }: NodeOrdered,
  asked: string,
  base: string,
  waitMs: number,
  tell: (line: string) => void,
): Promise<Outcome> {
  const begunAt = now();
  let told = '';
  let outcome: Outcome = { node, state, left: undefined, isDone: state === 'gone', waitedMs: 0 };
  while (!outcome.isDone && now() - begunAt < waitMs) {
    const view = await look(base).catch((fault: Error) => {
      // Who was asked has ended, as it was told to.
      if (action === 'remove' && node === asked) return undefined;
      throw fault;
    });
    const waitedMs = Math.round(now() - begunAt);
    outcome = {
      ...seen(
        action,
        node,
        view?.members.find(({ id }) => id === node),
      ),
      waitedMs,
    };
    const line = progressText(outcome);
    if (!outcome.isDone && line !== told) tell(line);
    told = line;
    if (!outcome.isDone) await pause(lookMs);
  }
  return outcome;
}

function seen(action: NodeAction, node: string, member: MemberView | undefined): Omit<Outcome, 'waitedMs'> {
  if (member === undefined) return { node, state: 'gone', left: undefined, isDone: action === 'remove' };
  const { state = 'serving', left } = member;
  const isBack = state === 'serving' && (left?.workers ?? 0) === 0;
  const isDone = action === 'drain' ? state === 'drained' : action === 'undrain' && isBack;
  return { node, state, left, isDone };
}

function progressText({ node, state, left }: Outcome): string {
  const what = left === undefined ? '' : leftText(left);
  if (state === 'serving') return `${node} serves; not back yet: ${what || 'nothing'}`;
  return `${node} is ${state}${what === '' ? '' : `; left: ${what}`}`;
}

function outcomeText(action: NodeAction, outcome: Outcome, waitMs: number): string {
  const { node, state, left, isDone, waitedMs } = outcome;
  const seconds = (waitedMs / 1000).toFixed(1);
  if (isDone && action === 'undrain') return `${node} serves again, after ${seconds} s`;
  if (isDone && action === 'drain')
    return `${node} is drained, after ${seconds} s; \`cluster undrain\` brings it back`;
  if (isDone)
    return waitedMs === 0
      ? `${node} could not be reached, so its entry is taken out; should it live, it says again that it is there`
      : `${node} is gone, after ${seconds} s`;
  if (waitMs === 0) return `${node} has the order to ${action}; it is ${state}`;
  if (state === 'gone') return `${node} is gone: it ended before it was ${action}ed`;
  const what = left === undefined ? '' : leftText(left);
  const hint =
    (left?.requests ?? 0) > 0 ? '; clients still send requests there: have them go to another router' : '';
  return `${node} is still ${state} after ${seconds} s; left: ${what || 'nothing'}${hint}. The order stands`;
}
