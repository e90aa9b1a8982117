// The lanes of a scheduler, one for each edition that somebody told of or asked for. Editions come for ever, and who had one
// may just end: a lane that nobody has for long, and in which nobody waits, is taken off again.
import { type JobNumber, type MemberId, modelKey } from '../../proto/ids.js';
import type { Effect } from '../effects.js';
import { Lane, type LaneLimits } from '../lane/lane.js';

/** Who had it may be started again, and finds then what was known of it. */
const keptUsualMs = 60_000;
type Edition = Pick<Lane, 'model' | 'version'>;

const none: ReadonlySet<Lane> = new Set();

export class Lanes {
  /** By model and edition. */
  readonly all = new Map<string, Lane>();
  private readonly byModel = new Map<string, Set<Lane>>();
  /** Those that nobody had when they were looked at, and since when. */
  private readonly vacant = new Map<Lane, number>();
  private readonly limits: LaneLimits;
  private readonly keptMs: number;
  private isLooking = false;

  constructor(limits: LaneLimits, keptMs = keptUsualMs) {
    this.limits = limits;
    this.keptMs = keptMs;
  }

  of({ model, version }: Edition, out: Effect[], now: number): Lane {
    const key = modelKey(model, version);
    const known = this.all.get(key);
    if (known !== undefined) return known;
    const lane = new Lane(key, model, version, this.limits);
    this.all.set(key, lane);
    const editions = this.byModel.get(model) ?? new Set();
    this.byModel.set(model, editions.add(lane));
    this.lookLater(out, now);
    return lane;
  }

  remove(lane: Lane): void {
    this.all.delete(lane.key);
    this.vacant.delete(lane);
    const editions = this.byModel.get(lane.model);
    if (editions?.delete(lane) && editions.size === 0) this.byModel.delete(lane.model);
  }

  /** The job waits at another edition of its model by now: this word of it came late or twice. */
  hasGoneOn(lane: Lane, router: MemberId, job: JobNumber, attempt: number): boolean {
    const editions = this.byModel.get(lane.model) ?? none;
    if (editions.size < 2) return false;
    for (const other of editions)
      if (other !== lane && (other.queue.find(router, job)?.attempt ?? 0) >= attempt) return true;
    return false;
  }

  /** Somebody may not have one any more. */
  lookLater(out: Effect[], now: number): void {
    if (this.isLooking) return;
    this.isLooking = true;
    out.push({ type: 'arm', timer: 'lanes', at: now + this.keptMs });
  }

  /** Those that nobody has had all the time since a look before. */
  overSince(isVacant: (lane: Lane) => boolean, out: Effect[], now: number): Lane[] {
    this.isLooking = false;
    const over: Lane[] = [];
    for (const lane of this.all.values()) {
      if (!isVacant(lane)) {
        this.vacant.delete(lane);
        continue;
      }
      const since = Math.max(this.vacant.get(lane) ?? now, lane.askedAt);
      this.vacant.set(lane, since);
      if (now - since >= this.keptMs) over.push(lane);
    }
    if (this.vacant.size > over.length) this.lookLater(out, now);
    return over;
  }
}
