// The cluster as this node sees it: its list of members, with what nodes say of themselves where they do.
import type { MemberId } from '../../proto/ids.js';
import type { ClusterView, MemberView } from '../doors/cluster.js';
import type { Presence } from '../membership/presence.js';
import type { MemberProcess } from './member.js';

export function clusterView(
  cluster: string,
  self: MemberId,
  member: MemberProcess,
  presence: Presence | undefined,
): ClusterView {
  const records = new Map(presence?.nodes().map((record) => [record.member.id, record]));
  const members = member.members().map((other): MemberView => {
    const record = records.get(other.id);
    const seen = { ...other, linked: other.id === self || member.isLinked(other.id) };
    if (record === undefined) return seen;
    const { state, machine, build, models, labels, workers, jobs } = record;
    return { ...seen, node: { state, machine, build, models, labels, workers, jobs } };
  });
  const by = presence === undefined ? 'founder' : 'nats';
  return { cluster, self, by, ...member.standing(), members };
}
