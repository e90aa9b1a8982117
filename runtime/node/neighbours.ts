// The cluster as this node sees it: its list of members, with what nodes say of themselves where they do, and who owns which
// model.
import type { Router } from '../../actors/router/router.js';
import type { NodeRecord } from '../../cluster/record.js';
import type { MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import { compareEpochs, noEpoch } from '../../proto/ownership.js';
import type { Supply } from '../distribution/supply.js';
import type { ClusterView, MemberView, OwnedView } from '../doors/cluster.js';
import type { MemberProcess } from './member.js';
import { type Eyes, seenOf, strangersOf } from './sight.js';

export function clusterView(
  cluster: string,
  self: MemberId,
  member: MemberProcess,
  router: Router,
  eyes: Eyes,
): ClusterView {
  const { presence, warden, keys } = eyes;
  const records = new Map(presence?.nodes().map((record) => [record.member.id, record]));
  const listed = member.members();
  const members = listed.map((other): MemberView => {
    const record = records.get(other.id);
    const linked = other.id === self || member.isLinked(other.id);
    const report = warden.reportOf(other.id);
    const told = stateOf(record, report);
    const seen = { ...other, linked, ...told, ...seenOf(other, linked, self, eyes) };
    if (record === undefined) return seen;
    const { state, machine, build, models, labels, workers, jobs, beat, holdings = [] } = record;
    return { ...seen, node: { state, machine, build, models, labels, workers, jobs, beat, holdings } };
  });
  const by = presence === undefined ? 'founder' : 'nats';
  const strangers = strangersOf(listed, self, keys);
  const more = strangers.length === 0 ? {} : { strangers };
  const view = { cluster, self, by, ...member.standing(), members, ...more } as const;
  const { epoch } = router.ownership;
  return compareEpochs(epoch, noEpoch) === 0 ? view : { ...view, owners: { epoch, models: owned(router) } };
}

/** Nothing where the store has all that is served. */
export function lostIn(supply: Pick<Supply, 'lost'>): Pick<ClusterView, 'lost'> {
  const lost = supply.lost();
  return lost.length === 0 ? {} : { lost };
}

function owned(router: Router): OwnedView[] {
  const whom = router.asked();
  return router.ownership.owners.map(([model, owner, epoch]) => {
    const asked = whom.get(model) ?? owner;
    return asked === owner ? { model, owner, epoch } : { model, owner, epoch, asked };
  });
}

/** What came over a link is newer than what is kept. */
function stateOf(
  record: NodeRecord | undefined,
  report: Said<'node.reported'> | undefined,
): Pick<MemberView, 'state' | 'left'> {
  if (report === undefined) return record === undefined ? {} : { state: record.state };
  const { state, requests, waiting, workers } = report;
  return { state, left: { requests, waiting, workers } };
}
