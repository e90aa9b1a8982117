// Names of things that are spoken of on the wire. A member's id ends in a random incarnation, so that a process that
// comes back under the same name is somebody else.

/** A process in the cluster: `<name>.<incarnation>`, for example `worker-1.k3f9x2`; a node in NATS has its rank before the latter. */
export type MemberId = string;

/** Counts a router's jobs from 1. Unique together with the router's member id. */
export type JobNumber = number;

export const roles = ['router', 'scheduler', 'worker', 'health', 'host'] as const;

/** `host` is the part of a node that supervises worker processes; it is never asked for by name. */
export type Role = (typeof roles)[number];

export function memberId(name: string, incarnation: string): MemberId {
  return `${name}.${incarnation}`;
}

/** The name that a member was started with. */
export function nameOf(member: MemberId): string {
  const end = member.indexOf('.');
  return end === -1 ? member : member.slice(0, end);
}

/** What a person is shown for a job: the router that keeps it and its number there. */
export function jobId(router: MemberId, job: JobNumber): string {
  return `${router}/${job.toString(36)}`;
}

/** The reverse; the router is empty where the number stands alone. Undefined when it is no such id. */
export function parseJobId(id: string): { readonly router: MemberId; readonly job: JobNumber } | undefined {
  const parts = /^(?:([^/]{1,128})\/)?([0-9a-z]{1,10})$/.exec(id);
  if (parts === null) return undefined;
  return { router: parts[1] ?? '', job: Number.parseInt(parts[2] as string, 36) };
}

/**
 * Of a version whose files have changed there is another edition: `1+3fa9c2`; and one of each variant that requests may
 * choose: `1+@int8`. Workers know editions, people versions.
 */
export function versionOf(edition: string): string {
  const at = edition.indexOf('+');
  return at < 0 ? edition : edition.slice(0, at);
}

/** For sentences: the version, and the variant where it is that of one. */
export function editionText(edition: string): string {
  const [, variant] = edition.split('@');
  return variant === undefined ? versionOf(edition) : `${versionOf(edition)} (variant ${variant})`;
}

/** Asked for with every request: a new string each time would have to be hashed each time. */
const keys = new Map<string, Map<string, string>>();
const keysKept = 256;

export function modelKey(model: string, version: string): string {
  let byVersion = keys.get(model);
  if (byVersion === undefined) {
    if (keys.size === keysKept) keys.clear();
    byVersion = new Map();
    keys.set(model, byVersion);
  }
  let key = byVersion.get(version);
  if (key === undefined) {
    if (byVersion.size === keysKept) byVersion.clear();
    key = `${model}:${version}`;
    byVersion.set(version, key);
  }
  return key;
}
