// `node runtime cluster`: asks a running node how it sees the cluster, and prints that; or gives an order to one of its nodes.
import type { Epoch } from '../../proto/ownership.js';
import { ask, baseUrl, type Environment } from '../ask.js';
import { ConfigError } from '../config/load.js';
import { settings } from '../config/schema.js';
import {
  type Barred,
  type ClusterView,
  type MemberView,
  nodeActions,
  type OwnersView,
} from '../doors/cluster.js';
import { readArguments } from '../flags.js';
import { nearest } from '../nearest.js';
import { withoutKey } from '../post/endpoint.js';
import { refusedOf } from '../refusal.js';
import { leftText, orderText, type Said } from './order.js';

export const clusterHelp = `Usage: node runtime cluster status [--check] [--json]
       node runtime cluster members [--json]
       node runtime cluster drain NODE [--force] [--wait SECONDS] [--json]
       node runtime cluster undrain NODE [--wait SECONDS] [--json]
       node runtime cluster remove NODE [--force] [--wait SECONDS] [--json]

Asks a running node how it sees the cluster, or has it give an order to one of the nodes.

status: who is there in numbers, by role, whether the list is kept or is only the last that the node had, whom the node that
was asked can't reach or does not hear, with what to do, and which scheduler owns which model, since which epoch. Ends with 1
where the list is not kept now; with --check also where a member has no link to that node, is doubted by it, or is kept out by keys, and where a model is
served that the store no longer has.
members: every node and worker process, with its roles, its address, its state by its own last word, how the node that was
asked sees it, where that is otherwise, and what it has.
drain: the node takes no work and finishes what it has, without ending; a router says that it is not ready, and answers
what comes all the same.
undrain: it is back, with its workers once their golden inputs have passed.
remove: it is drained and then ends; of one that is dead and still listed the entry is taken out.
Ends with 1 where that has not come about in time; the order stands all the same.

NODE is its id, its name, or the beginning of its id, as members prints it.

  --check                  Status ends with 1 where anything is amiss.
  --force                  Also where it is the last that can do what it does, or that has a model: requests wait until
                           somebody can.
  --wait SECONDS           How long to wait until it is so; 0 only gives the order. [60]

  --json                   As JSON, for programs; what is refused as its code and error.
  --url URL                The REST door of the node. [http://127.0.0.1:${settings.httpPort.fallback}]
  --http-port PORT         The same on this machine, by its port (SIGNALBOX_HTTP_PORT).`;

const verbs = ['status', 'members', ...nodeActions] as const;
const flags = {
  '--json': '',
  '--check': '',
  '--force': '',
  '--wait': 'SECONDS',
  '--url': 'URL',
  '--http-port': 'PORT',
  '--help': '',
};

interface Status {
  readonly cluster: string;
  readonly asked: string;
  readonly by: ClusterView['by'];
  readonly state: ClusterView['state'];
  readonly reason: string;
  readonly members: number;
  readonly roles: Readonly<Record<string, number>>;
  /** Those to whom the node that was asked has no link. */
  readonly unlinked: readonly string[];
  /** Those that it does not hear, or that others doubt. */
  readonly doubted: readonly Trouble[];
  /** Those that keys keep apart from it, with what to do. */
  readonly barred: readonly (Barred & { readonly id?: string })[];
  /** Models that are served and no longer in the store. */
  readonly lost: readonly string[];
  readonly owners?: OwnersView;
}

type Trouble = Pick<MemberView, 'id' | 'silentMs' | 'doubtedBy'>;

/** What is to be printed; `tell` hears how it goes on until then. Throws a ConfigError for wrong use, another error where the node has no good answer. */
export async function clusterText(
  args: readonly string[],
  environment: Environment,
  tell: (line: string) => void = () => {},
): Promise<Said> {
  const { words, flags: given } = readArguments('cluster', flags, args);
  if (given.has('--help')) return { text: clusterHelp, isGood: true };
  const verb = verbOf(words);
  const base = baseUrl(given, environment);
  try {
    return await done(verb, words, given, base, tell);
  } catch (fault) {
    return refusedOf(fault, given.has('--json'));
  }
}

async function done(
  verb: (typeof verbs)[number],
  words: readonly string[],
  given: ReadonlyMap<string, string>,
  base: string,
  tell: (line: string) => void,
): Promise<Said> {
  const action = nodeActions.find((one) => one === verb);
  if (action !== undefined) return orderText(action, words.slice(1), given, base, tell);
  for (const flag of ['--force', '--wait'])
    if (given.has(flag))
      throw new ConfigError(`${flag} goes with ${nodeActions.join(', ')}, not with ${verb}`);
  if (given.has('--check') && verb !== 'status')
    throw new ConfigError(`--check goes with status, not with ${verb}`);
  const view = (await ask(`${base}/v2/signalbox/cluster`, base)) as ClusterView;
  const asJson = (value: unknown): string => JSON.stringify(value, null, 2);
  if (verb === 'members') {
    return { text: given.has('--json') ? asJson(view.members) : membersText(view), isGood: true };
  }
  const status = statusOf(view);
  const isGood = view.state === 'live' && !(given.has('--check') && isAmiss(status));
  return { text: given.has('--json') ? asJson(status) : statusText(status), isGood };
}

function verbOf([verb, ...more]: readonly string[]): (typeof verbs)[number] {
  const known = verbs.find((one) => one === verb);
  if (known === undefined) {
    const near = verb === undefined ? undefined : nearest(verb, verbs);
    const hint = near === undefined ? `there are ${verbs.join(', ')}` : `did you mean ${near}?`;
    throw new ConfigError(`cluster ${verb === undefined ? 'needs a verb' : `${verb} is not known`}; ${hint}`);
  }
  if (more.length > 0 && !nodeActions.some((action) => action === known))
    throw new ConfigError(`cluster ${known} takes no words; ${more.join(' ')} is too many`);
  return known;
}

function isAmiss({ unlinked, doubted, barred, lost }: Status): boolean {
  // Who is no member may be anybody: a scan of ports is no fault of the cluster.
  const kept = barred.filter(({ id }) => id !== undefined);
  return unlinked.length + doubted.length + kept.length + lost.length > 0;
}

function statusOf(view: ClusterView): Status {
  const { cluster, self, by, state, reason, members, owners, strangers = [], lost = [] } = view;
  const roles: Record<string, number> = {};
  for (const role of members.flatMap((member) => member.roles)) roles[role] = (roles[role] ?? 0) + 1;
  const unlinked = members.filter(({ linked }) => !linked).map(({ id }) => id);
  const doubted = members.filter(({ doubtedBy }) => doubtedBy !== undefined).map(troubleOf);
  const kept = members.flatMap(({ id, barred }) => (barred === undefined ? [] : [{ id, ...barred }]));
  const amiss = { unlinked, doubted, barred: [...kept, ...strangers], lost };
  const status = { cluster, asked: self, by, state, reason, members: members.length, roles, ...amiss };
  return owners === undefined ? status : { ...status, owners };
}

function troubleOf({ id, silentMs, doubtedBy = [] }: MemberView): Trouble {
  return { id, doubtedBy, ...(silentMs === undefined ? {} : { silentMs }) };
}

function statusText(status: Status): string {
  const { cluster, asked, by, state, reason, members, roles, unlinked, doubted, barred, lost, owners } =
    status;
  const kept = by === 'nats' ? 'NATS' : 'the node that founded it';
  const counts = Object.entries(roles).map(([role, count]) => `${count} ${role}`);
  const lines = [
    `cluster ${cluster}, as ${asked} sees it`,
    state === 'live' ? `  list     kept by ${kept}` : `  list     ${state}: ${reason}; the last one stands`,
    `  members  ${members}: ${counts.join(', ')}`,
  ];
  if (unlinked.length > 0) lines.push(`  no link  to ${unlinked.join(', ')}`);
  for (const one of doubted) lines.push(`  in doubt ${one.id}: ${silenceText(one)}`);
  for (const one of barred) lines.push(`  no key   ${one.id ?? one.at}: ${barredText(one)}`);
  if (lost.length > 0)
    lines.push(
      `  lost     ${lost.join(', ')}: served, no longer in the store, gone with who serves it; push it again`,
    );
  if (owners !== undefined) lines.push(...ownersLines(owners));
  return lines.join('\n');
}

function ownersLines({ epoch, models }: OwnersView): string[] {
  const rows = models.map(({ model, owner, epoch: since, asked }) => [
    `    ${model}`,
    owner,
    `since ${epochText(since)}`,
    asked === undefined ? '' : asked === '' ? 'nobody can be asked' : `${asked} is asked now`,
  ]);
  return [`  owners   epoch ${epochText(epoch)}`, ...columns(rows)];
}

function epochText([count, by]: Epoch): string {
  return `${count} of ${by}`;
}

/** By name, and each worker process behind its node. */
function inOrder(members: readonly MemberView[]): MemberView[] {
  const keyOf = ({ id, host }: MemberView): string => (host === '' ? id : `${host} ${id}`);
  return [...members].sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
}

function membersText({ members }: ClusterView): string {
  const rows = inOrder(members).map((member) => [
    member.id,
    member.roles.join(','),
    stateText(member),
    seenText(member),
    withoutKey(member.endpoint) || (member.host === '' ? '' : `of ${member.host}`),
    hasText(member),
  ]);
  const table = [['MEMBER', 'ROLES', 'STATE', 'SEEN', 'WHERE', 'HAS'], ...rows];
  const used = (table[0] as string[]).map((_, column) => rows.some((row) => row[column] !== ''));
  return columns(table.map((row) => row.filter((_, column) => used[column]))).join('\n');
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** Nothing where the node that was asked sees it as it says. */
function seenText(member: MemberView): string {
  const { linked, silentMs, doubtedBy, barred } = member;
  if (barred !== undefined) return `no link: ${barredText(barred)}`;
  if (!linked) return silentMs === undefined ? 'no link' : `no link, ${silenceText(member)}`;
  return doubtedBy === undefined ? '' : silenceText(member);
}

function silenceText({ silentMs, doubtedBy = [] }: Trouble): string {
  const heard = silentMs === undefined ? [] : [`not heard for ${(silentMs / 1000).toFixed(1)} s`];
  const doubts = doubtedBy.length === 0 ? [] : [`suspected by ${doubtedBy.length}`];
  return [...heard, ...doubts].join(', ');
}

function barredText({ reason, mend }: Barred): string {
  return mend === '' ? reason : `${reason.replace(/: `node runtime keys trust`$/, '')}; ${mend}`;
}

function stateText({ state, left }: MemberView): string {
  const text = left === undefined ? '' : leftText(left);
  return `${state ?? ''}${text === '' ? '' : ` (${text})`}`;
}

function hasText({ node }: MemberView): string {
  if (node === undefined) return '';
  const devices = node.workers.map(({ device }) => device || 'starting');
  return [
    devices.length === 0 ? '' : `workers on ${devices.join(', ')}`,
    node.models.length === 1 ? '1 model' : `${node.models.length} models`,
    node.jobs === 0 ? '' : `${node.jobs} jobs`,
    ...node.labels,
  ]
    .filter((part) => part !== '')
    .join('; ');
}
