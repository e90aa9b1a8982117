// Watches who owns what in a simulated cluster: one list under each epoch, nobody's goes back, and in the end all go by the
// same one, which names only those who are there.
import { compareEpochs, type Epoch, noEpoch, type Ownership, sameOwners } from '../../proto/ownership.js';
import type { NodePresence } from './presence.js';
import { require } from './violation.js';

export class OwningWitness {
  /** The list of each epoch, whoever showed it first. */
  private readonly lists = new Map<string, Ownership>();
  private readonly held = new Map<string, Ownership>();

  /** `id` goes by that list from now on. */
  heard(id: string, list: Ownership): void {
    const before = this.held.get(id);
    if (list === before) return;
    this.held.set(id, list);
    require(before === undefined || compareEpochs(before.epoch, list.epoch) <= 0, 'I6', () =>
      `${id} goes back from epoch ${shown(before?.epoch)} to ${shown(list.epoch)}`);
    const first = this.lists.get(shown(list.epoch));
    if (first === undefined) this.lists.set(shown(list.epoch), list);
    else
      require(sameOwners(first.owners, list.owners), 'I6', () =>
        `${id} holds another list of epoch ${shown(list.epoch)} than somebody before`);
  }

  /** All that live and are seen by all: they go by one list, and it fits. */
  checkRest(nodes: readonly NodePresence[], models: readonly string[]): void {
    const schedulers = nodes.filter(
      ({ member, state }) => member.roles.includes('scheduler') && state === 'serving',
    );
    const [first] = nodes;
    if (schedulers.length === 0 || first === undefined) return;
    const { epoch, owners } = first.steward.list();
    for (const { member, steward } of nodes) {
      const other = steward.list().epoch;
      require(compareEpochs(epoch, other) === 0, 'I6', () =>
        `${first.member.id} goes by epoch ${shown(epoch)} and ${member.id} by ${shown(other)} after all healed`);
    }
    for (const model of models) {
      const owner = owners.find(([owned]) => owned === model)?.[1];
      require(schedulers.some(({ member }) => member.id === owner), 'I6', () =>
        `${model} is owned by ${owner ?? 'nobody'}, which is not there`);
    }
  }
}

function shown([count, by]: Epoch = noEpoch): string {
  return `${count} of ${by}`;
}
