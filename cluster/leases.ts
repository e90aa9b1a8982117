// Who is there, judged by leases: an entry whose revision has not changed for so long by this member's own clock is that of
// a member that is gone. It judges others only while it hears itself: when its own beats do not come back out of the
// store, nobody's do, and the view stands still until they come again.
import type { MemberId } from '../proto/ids.js';
import type { Standing } from './membership.js';

export interface LeaseSettings {
  /** How often a member writes. */
  readonly beatMs: number;
  /** Without anything new for so long it is gone. */
  readonly leaseMs: number;
}

/** While the store is away nothing comes back. */
const writtenMost = 64;

interface Lease {
  revision: number;
  seenAt: number;
}

export class Leases {
  private readonly settings: LeaseSettings;
  private readonly byMember = new Map<MemberId, Lease>();
  private state: Standing['state'] = 'joining';
  private reason = 'its own entry has not come back from NATS yet';
  private heardSelfAt = 0;
  private ownBeat = 0;
  /** Its own beats that have not come back yet. */
  private written: { readonly beat: number; readonly at: number }[] = [];
  /** Whatever others wrote until then has been told here. */
  private toldTo = Number.NEGATIVE_INFINITY;

  constructor(settings: LeaseSettings) {
    this.settings = settings;
  }

  /** Less than a lease by more than a beat: who hears nothing stands still before it judges anybody. */
  get deafMs(): number {
    return Math.max(this.settings.leaseMs / 2, 1);
  }

  standing(): Standing {
    return { state: this.state, reason: this.state === 'live' ? '' : this.reason };
  }

  wrote(beat: number, now: number): void {
    if (this.written.length === writtenMost) this.written.shift();
    this.written.push({ beat, at: now });
  }

  /** One's own beat came out of the store. True when the view lives again by it: all leases begin anew. */
  heardSelf(beat: number, now: number): boolean {
    // A watch that begins anew tells old entries again: they say nothing of now.
    if (beat <= this.ownBeat) return false;
    this.ownBeat = beat;
    this.toldTo = this.written.find((own) => own.beat === beat)?.at ?? this.toldTo;
    this.written = this.written.filter((own) => own.beat > beat);
    // It may have been held up since, and not yet have seen that it was deaf: the others were not heard either.
    const wasDeaf = this.state !== 'live' || now - this.heardSelfAt > this.deafMs;
    const livesAgain = this.state !== 'live';
    this.heardSelfAt = now;
    this.state = 'live';
    if (wasDeaf) for (const lease of this.byMember.values()) lease.seenAt = now;
    return livesAgain;
  }

  heard(member: MemberId, revision: number, now: number): void {
    const lease = this.byMember.get(member);
    if (lease === undefined) this.byMember.set(member, { revision, seenAt: now });
    else if (lease.revision !== revision) {
      // Lower ones count too: a store that lost writes begins again where it was.
      lease.revision = revision;
      lease.seenAt = now;
    }
  }

  /** Of what is known of it; 0 where nothing is. */
  revisionOf(member: MemberId): number {
    return this.byMember.get(member)?.revision ?? 0;
  }

  /** When it last had something new to say. */
  heardAt(member: MemberId): number | undefined {
    return this.byMember.get(member)?.seenAt;
  }

  forget(member: MemberId): void {
    this.byMember.delete(member);
  }

  freeze(reason: string): void {
    if (this.state === 'live') this.state = 'frozen';
    this.reason = reason;
  }

  /** Why it does not live, where that has become known. */
  blame(reason: string): void {
    if (this.state !== 'live') this.reason = reason;
  }

  /** True when it has just become deaf. */
  growsDeaf(now: number): boolean {
    if (this.state !== 'live' || now - this.heardSelfAt <= this.deafMs) return false;
    this.freeze('NATS takes no writes, or does not tell of them');
    return true;
  }

  /** Those whose lease has run out, with the last revision of each. They are forgotten. */
  spent(): { readonly member: MemberId; readonly revision: number }[] {
    if (this.state !== 'live') return [];
    const spent = [];
    for (const [member, { revision, seenAt }] of this.byMember) {
      if (this.toldTo - seenAt > this.settings.leaseMs) spent.push({ member, revision });
    }
    for (const { member } of spent) this.byMember.delete(member);
    return spent;
  }
}
