// A node's keys while it runs: the list of those whom it trusts is read again when the file changes, and its worker
// processes, which ask no file, are told.
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after } from '../clock.js';
import { ConfigError } from '../config/load.js';
import { type Config, flagOf } from '../config/schema.js';
import type { Log } from '../log.js';
import type { NodeWord } from '../worker/order.js';
import { type KeyPair, readPair } from './pair.js';
import { KeyRing } from './ring.js';
import { readTrusted } from './trusted.js';

const lookMs = 250;
export const trustedName = 'trusted';

/** The node's pair; undefined where it has none. */
export function ownPair({ keyFile, trustFile }: Config): KeyPair | undefined {
  if (keyFile === '') {
    if (trustFile === '') return undefined;
    throw new ConfigError(
      `${flagOf('trustFile')} says whom to trust, and ${flagOf('keyFile')} is missing: the key of this node`,
    );
  }
  try {
    return readPair(keyFile);
  } catch (fault) {
    throw new ConfigError(`${flagOf('keyFile')} ${keyFile} is no good: ${(fault as Error).message}`);
  }
}

export class KeyKeeper {
  readonly ring: KeyRing;
  private readonly pair: KeyPair | undefined;
  private readonly file: string;
  private readonly isNamed: boolean;
  private readonly log: Log;
  private readonly tell: (word: NodeWord) => void;
  private trusted: readonly string[] = [];
  /** The file as it was when it was read, and at the last look. */
  private seen = '';
  private glimpsed = '';

  constructor(config: Config, pair: KeyPair | undefined, log: Log, tell: (word: NodeWord) => void) {
    this.pair = pair;
    this.file = config.trustFile || join(dirname(config.keyFile), trustedName);
    this.isNamed = config.trustFile !== '';
    this.log = log;
    this.tell = tell;
    this.ring = new KeyRing((turned) => log.warn('link.barred', { ...turned }));
  }

  /** Throws a sentence where the list is no good; later such a list leaves the last one as it is. */
  start(): void {
    if (this.pair === undefined) return;
    try {
      this.seen = this.stamp();
      if (this.seen === '' && this.isNamed) throw new Error('it is not there');
      this.read();
    } catch (fault) {
      throw new Error(`the list of trusted keys ${this.file} is no good: ${(fault as Error).message}`);
    }
    this.log.info('keys.read', {
      publicKey: this.pair.publicKey,
      trustFile: this.file,
      trusted: this.trusted.length,
    });
    this.watch();
  }

  /** What worker processes are told before anything else. */
  words(): NodeWord[] {
    return this.pair === undefined
      ? []
      : [{ type: 'keys', known: { pair: this.pair, trusted: this.trusted } }];
  }

  private watch(): void {
    after(lookMs, () => this.look(), false);
  }

  /** What has changed is read when it has stood still from one look to the next: it may have been half written. */
  private look(): void {
    this.watch();
    const stamp = this.stamp();
    const isSettled = stamp === this.glimpsed;
    this.glimpsed = stamp;
    if (stamp === this.seen || !isSettled) return;
    this.seen = stamp;
    try {
      if (stamp === '') throw new Error("it is not there any more, or can't be looked at");
      this.read();
    } catch (fault) {
      const reason = `${(fault as Error).message}; the list as it was before stands`;
      this.log.error('keys.unread', { trustFile: this.file, reason });
      return;
    }
    this.log.info('keys.changed', { trustFile: this.file, trusted: this.trusted.length });
    for (const word of this.words()) this.tell(word);
  }

  private read(): void {
    this.trusted = readTrusted(this.file).map(({ key }) => key);
    this.ring.take({ pair: this.pair as KeyPair, trusted: this.trusted });
  }

  /** Changes with the file; empty where there is none to be seen. */
  private stamp(): string {
    try {
      const { mtimeNs, size, ino } = statSync(this.file, { bigint: true });
      return `${mtimeNs} ${size} ${ino}`;
    } catch {
      return '';
    }
  }
}
