// The keys that a process has at hand: its own pair, whom it trusts, and the proof by which a member shows that the key it
// connects with is its own. A ring without a pair changes nothing: links are plain then.
import { createHmac, diffieHellman, timingSafeEqual } from 'node:crypto';
import { now } from '../clock.js';
import { type KeyPair, publicObject, secretObject } from './pair.js';

export interface KeysKnown {
  readonly pair: KeyPair;
  readonly trusted: readonly string[];
}

/** By which it is known what mends it: whose list lacks whose key, or who has none. */
export type RefusalKind = 'unlistedHere' | 'unlistedThere' | 'keylessHere' | 'keylessThere' | 'other';

export interface Refusal {
  readonly kind: RefusalKind;
  /** For people. */
  readonly reason: string;
}

/** What is told of each of them once in a while: strangers must not fill the log. */
export interface Turned extends Refusal {
  /** The address of the other side, or the one that it called. */
  readonly at: string;
  /** Missing where it showed none, or is called as one that has none. */
  readonly key?: string;
}

const toldMax = 1024;
/** Then it may be told again: strangers with ever new keys must not hide for good what the operator is to see. */
const toldForMs = 600_000;

export class KeyRing {
  private known: KeysKnown | undefined;
  private trusted = new Set<string>();
  private readonly watchers: (() => void)[] = [];
  private readonly told = new Map<string, { readonly turned: Turned; lastAt: number }>();
  private toldSince = Number.NEGATIVE_INFINITY;
  private readonly tell: (turned: Turned) => void;
  private readonly clock: () => number;

  constructor(tell: (turned: Turned) => void = () => {}, clock = now) {
    this.tell = tell;
    this.clock = clock;
  }

  get pair(): KeyPair | undefined {
    return this.known?.pair;
  }

  /** Always of one's own key: the worker processes of a node have it too. */
  trusts(key: string): boolean {
    return this.trusted.has(key);
  }

  take(known: KeysKnown): void {
    this.known = known;
    this.trusted = new Set([known.pair.publicKey, ...known.trusted]);
    this.told.clear();
    for (const run of this.watchers) run();
  }

  /** Runs whenever whom it trusts may have changed. */
  watch(run: () => void): void {
    this.watchers.push(run);
  }

  turnedAway(turned: Turned): void {
    const once = `${turned.at} ${turned.key ?? ''} ${turned.reason}`;
    const at = this.clock();
    if (at - this.toldSince > toldForMs) {
      this.told.clear();
      this.toldSince = at;
    }
    const known = this.told.get(once);
    if (known !== undefined) known.lastAt = at;
    if (known !== undefined || this.told.size >= toldMax) return;
    this.told.set(once, { turned, lastAt: at });
    this.tell(turned);
  }

  /** What was told of whoever listens there holds no more. */
  letIn(at: string): void {
    for (const [once, { turned }] of this.told) if (turned.at === at) this.told.delete(once);
  }

  /** Who was turned away or turned this one away in the last minutes, and since the list of keys has changed. */
  barred(): Turned[] {
    const since = this.clock() - toldForMs;
    return [...this.told.values()].flatMap(({ turned, lastAt }) => (lastAt >= since ? [turned] : []));
  }

  /** That this process has the secret to its key, for that peer alone: nobody else can make or check it. */
  proofFor(peer: string, id: string): string {
    return this.pair === undefined ? '' : (proof(this.pair.secretKey, peer, id) ?? '');
  }

  isProof(key: string, id: string, given: string): boolean {
    const wanted = this.pair === undefined ? undefined : proof(this.pair.secretKey, key, id);
    if (wanted === undefined || given.length !== wanted.length) return false;
    return timingSafeEqual(Buffer.from(wanted, 'latin1'), Buffer.from(given, 'latin1'));
  }
}

/** Undefined where the key is none. */
function proof(secretKey: string, publicKey: string, id: string): string | undefined {
  try {
    const shared = diffieHellman({
      privateKey: secretObject(secretKey),
      publicKey: publicObject(publicKey),
    });
    return createHmac('sha256', shared).update(`signalbox member ${id}`).digest('hex');
  } catch {
    return undefined;
  }
}
