// Who is listed, has no link and does not come: at whose door this node knocks, to learn whether keys keep the two apart. Of two
// nodes one calls the other; without this the other could not say what is wrong.
import type { Member } from '../../cluster/membership.js';
import type { MemberId } from '../../proto/ids.js';
import { after, type Timer } from '../clock.js';
import { keyIn } from '../post/endpoint.js';

export interface Around {
  readonly self: Member;
  readonly members: () => readonly Member[];
  readonly isLinked: (member: MemberId) => boolean;
  /** Nothing where it is called as it is. */
  readonly knock: (endpoint: string) => void;
}

/** Whoever has been missing from one look to the next. */
const lookMs = 2000;
/** At so many in one look: a network that is cut has nothing to do with keys. */
const knocksMost = 8;

export class Knocking {
  private readonly around: Around;
  private readonly missed = new Set<MemberId>();
  private next: Timer | undefined;

  constructor(around: Around) {
    this.around = around;
  }

  /** Who listens nowhere calls all others itself. */
  begin(): void {
    if (keyIn(this.around.self.endpoint) === '') return;
    this.next = after(lookMs, () => this.look(), false);
  }

  stop(): void {
    this.next?.cancel();
  }

  private look(): void {
    const { self, members, isLinked, knock } = this.around;
    const others = members().filter(({ id, endpoint }) => id !== self.id && keyIn(endpoint) !== '');
    const missing = new Map(
      others.filter(({ id }) => !isLinked(id)).map(({ id, endpoint }) => [id, endpoint]),
    );
    for (const id of this.missed) if (!missing.has(id)) this.missed.delete(id);
    for (const id of [...this.missed].slice(0, knocksMost)) {
      knock(missing.get(id) as string);
      this.missed.delete(id);
    }
    // Whom it has just knocked at comes after all others.
    for (const id of missing.keys()) this.missed.add(id);
    this.begin();
  }
}
