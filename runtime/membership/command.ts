// `node runtime cluster`: asks a running node how it sees the cluster, and prints that.

import type { Epoch } from '../../proto/ownership.js';
import { ask, baseUrl, type Environment } from '../ask.js';
import { ConfigError } from '../config/load.js';
import { settings } from '../config/schema.js';
import type { ClusterView, MemberView, OwnersView } from '../doors/cluster.js';
import { readArguments } from '../flags.js';
import { nearest } from '../nearest.js';

export const clusterHelp = `Usage: node runtime cluster status [--json]
       node runtime cluster members [--json]

Asks a running node how it sees the cluster.

status: who is there in numbers, by role, whether the list is kept or is only the last that the node had, and which
scheduler owns which model, since which epoch. Ends with 1 where it is not kept now.
members: every node and worker process, with its roles, its address, its state and what it has.

  --json                   As JSON, for programs.
  --url URL                The REST door of the node. [http://127.0.0.1:${settings.httpPort.fallback}]
  --http-port PORT         The same on this machine, by its port (SIGNALBOX_HTTP_PORT).`;

const verbs = ['status', 'members'] as const;
const flags = { '--json': '', '--url': 'URL', '--http-port': 'PORT', '--help': '' };

interface Said {
  readonly text: string;
  /** Whether the command ends with 0. */
  readonly isGood: boolean;
}

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
  readonly owners?: OwnersView;
}

/** What is to be printed. Throws a ConfigError for wrong use, another error where the node has no good answer. */
export async function clusterText(args: readonly string[], environment: Environment): Promise<Said> {
  const { words, flags: given } = readArguments('cluster', flags, args);
  if (given.has('--help')) return { text: clusterHelp, isGood: true };
  const verb = verbOf(words);
  const base = baseUrl(given, environment);
  const view = (await ask(`${base}/v2/signalbox/cluster`, base)) as ClusterView;
  const asJson = (value: unknown): string => JSON.stringify(value, null, 2);
  if (verb === 'members') {
    return { text: given.has('--json') ? asJson(view.members) : membersText(view), isGood: true };
  }
  const status = statusOf(view);
  return { text: given.has('--json') ? asJson(status) : statusText(status), isGood: view.state === 'live' };
}

function verbOf([verb, ...more]: readonly string[]): (typeof verbs)[number] {
  const known = verbs.find((one) => one === verb);
  if (known === undefined) {
    const near = verb === undefined ? undefined : nearest(verb, verbs);
    const hint = near === undefined ? `there are ${verbs.join(' and ')}` : `did you mean ${near}?`;
    throw new ConfigError(`cluster ${verb === undefined ? 'needs a verb' : `${verb} is not known`}; ${hint}`);
  }
  if (more.length > 0)
    throw new ConfigError(`cluster ${known} takes no words; ${more.join(' ')} is too many`);
  return known;
}

function statusOf({ cluster, self, by, state, reason, members, owners }: ClusterView): Status {
  const roles: Record<string, number> = {};
  for (const role of members.flatMap((member) => member.roles)) roles[role] = (roles[role] ?? 0) + 1;
  const unlinked = members.filter(({ linked }) => !linked).map(({ id }) => id);
  const status = { cluster, asked: self, by, state, reason, members: members.length, roles, unlinked };
  return owners === undefined ? status : { ...status, owners };
}

function statusText(status: Status): string {
  const { cluster, asked, by, state, reason, members, roles, unlinked, owners } = status;
  const kept = by === 'nats' ? 'NATS' : 'the node that founded it';
  const counts = Object.entries(roles).map(([role, count]) => `${count} ${role}`);
  const lines = [
    `cluster ${cluster}, as ${asked} sees it`,
    state === 'live' ? `  list     kept by ${kept}` : `  list     ${state}: ${reason}; the last one stands`,
    `  members  ${members}: ${counts.join(', ')}`,
  ];
  if (unlinked.length > 0) lines.push(`  no link  to ${unlinked.join(', ')}`);
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

function membersText({ members }: ClusterView): string {
  const rows = members.map((member) => [
    member.id,
    member.roles.join(','),
    member.node?.state ?? '',
    member.linked ? '' : 'no link',
    member.endpoint || (member.host === '' ? '' : `of ${member.host}`),
    hasText(member),
  ]);
  const table = [['MEMBER', 'ROLES', 'STATE', 'LINK', 'WHERE', 'HAS'], ...rows];
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
