// Which scheduler owns which model, as this one knows it. It takes any job that it is given; a router that goes by an older
// list hears of this one, once, and moves its jobs by itself.
import type { MemberId } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import { compareEpochs, type Epoch, type Ownership, sameOwners, unowned } from '../../proto/ownership.js';
import { type Effect, note, send } from '../effects.js';

export class Notices {
  list: Ownership = unowned;
  /** Lists that had the epoch of another: never to be. */
  clashes = 0;
  /** The epoch that each router was told of last. */
  private readonly toldOf = new Map<MemberId, Epoch>();

  follow({ epoch, owners }: Ownership, out: Effect[]): void {
    const order = compareEpochs(epoch, this.list.epoch);
    if (order > 0) this.list = { epoch, owners };
    if (order !== 0 || sameOwners(owners, this.list.owners)) return;
    this.clashes++;
    out.push(note('error', 'owners.clashed', { count: epoch[0], by: epoch[1] }));
  }

  review({ ownersCount, ownersBy }: Said<'job.enqueue'>, router: MemberId, out: Effect[]): void {
    const { epoch, owners } = this.list;
    if (ownersCount === epoch[0] && ownersBy === epoch[1]) return;
    if (this.toldOf.get(router) === epoch || compareEpochs([ownersCount, ownersBy], epoch) > 0) return;
    this.toldOf.set(router, epoch);
    out.push(send(router, { type: 'owners.listed', epoch, owners }));
  }

  /** Over a new link it is told again. */
  forget(router: MemberId): void {
    this.toldOf.delete(router);
  }
}
