// Where the nodes of one user on one machine find each other, and what they have kept, when nobody says anything else.
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { MemberId } from '../../proto/ids.js';

function folder(): string {
  const user = userInfo();
  const ofUser = process.env.XDG_RUNTIME_DIR;
  return ofUser
    ? join(ofUser, 'signalbox')
    : join(tmpdir(), `signalbox-${user.uid >= 0 ? user.uid : user.username}`);
}

/** The endpoint of the local system: whoever founds one listens here. */
export function wellKnownEndpoint(cluster: string): string {
  return `ipc://${join(folder(), `${cluster}.sock`)}`;
}

export function ownEndpoint(member: MemberId): string {
  return `ipc://${join(folder(), `${member}.sock`)}`;
}

/** The key of a node, and whom it trusts. */
export function ownKeysFolder(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'signalbox');
}

/** What may be lost, but is costly to find out again. */
export function ownCacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'signalbox');
}
