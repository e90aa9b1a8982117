// The store in NATS: a JetStream bucket of keys and values, and the connection to it. The only file that knows the library;
// what it throws leaves here as sentences.
import { randomInt } from 'node:crypto';
import {
  type ConnectionOptions,
  connect,
  consumerOpts,
  credsAuthenticator,
  DebugEvents,
  DiscardPolicy,
  Events,
  type JetStreamClient,
  type KV,
  type NatsConnection,
  type NatsError,
  nkeyAuthenticator,
  type ObjectStore,
  StorageType,
  type StoredMsg,
  type StreamAPI,
} from 'nats';
import { type Adding, Copies } from './copies.js';
import { enter } from './nats-entry.js';
import { codeOf, inSentences, isForbidden, notInTime, sentenceOf, unlessChanged } from './nats-faults.js';
import { dialByAddress, natsIdentity } from './nats-identity.js';
import type { Parts } from './parts.js';
import type { ConnectionEvents, Entry, PartsConnection, Store, StoreOptions, WatchEvents } from './store.js';

export interface NatsOptions {
  readonly servers: readonly string[];
  /** As NATS lists this connection. */
  readonly name: string;
  readonly user: string;
  readonly password: string;
  readonly token: string;
  /** The content of a credentials file; empty for none. */
  readonly credentials: string;
  /** The seed of an nkey; empty for none. */
  readonly nkeySeed: string;
  /** PEM; a certificate of its own goes with its key. Undefined: TLS only as the addresses ask for it. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
}

const connectMs = 4000;
const askMs = 1000;
/** What is large may take its time. */
const partMs = 20_000;
const reconnectMs = 250;
/** The library gives up in the turn after the second that was refused. */
const turnsMore = 2;
const pingMs = 2000;
const pingsMissedMax = 2;
const replicasWanted = 3;
const removedOperations = ['DEL', 'PURGE'];

/** err_codes of JetStream: it has no three servers to keep copies on, or takes no copies at all. */
const tooFewServers = [10005, 10074];
/** Somebody else made it in the same moment, with other copies. */
const madeOtherwise = 10058;
const noStream = 10059;
const noMessage = 10037;
const unshown = '; does it want a certificate of this node, which has none?';

/** One try at each of the servers. Rejects with a sentence; once connected it connects again by itself, unless it is refused. */
export async function connectNats(options: NatsOptions, events: ConnectionEvents): Promise<PartsConnection> {
  const connection = await enter(options.servers, {
    dial: (servers, isAlone) => dialByAddress({ ...options, servers }, (given) => dial(given, isAlone)),
    close: (entered) => entered.close(),
    reasonOf: (fault) => whyNotIn(options, fault),
  });
  const copies = new Copies(
    (stream) => addCopies(connection, stream),
    (reason) => events.lacks?.(reason),
  );
  follow(connection, events, copies);
  const jetstream = connection.jetstream({ timeout: askMs });
  return {
    open: (wanted) =>
      inSentences(async () => {
        const bucket = await bucketOf(connection, jetstream, wanted);
        copies.opened(`KV_${wanted.name}`);
        return new NatsStore(bucket);
      }),
    parts: (name) =>
      inSentences(async () => {
        const parts = await partsOf(connection, name);
        copies.opened(`OBJ_${name}`);
        return parts;
      }),
    close: () => connection.close(),
  };
}

/** A server that refuses names its peers, which the library tries as well, and then the first again: of itself it need not end. */
async function dial(options: NatsOptions, isAlone: boolean): Promise<NatsConnection> {
  let turnsLeft = options.servers.length + turnsMore;
  let isIn = false;
  const connection = await connect({
    ...optionsOf(options),
    ignoreClusterUpdates: isAlone,
    reconnectDelayHandler: () => {
      if (!isIn && turnsLeft-- === 0) throw notInTime();
      return reconnectMs + randomInt(reconnectMs);
    },
  });
  isIn = true;
  return connection;
}

/** Under TLS a server hangs up on whoever it wants a certificate of, and the library waits on. */
function whyNotIn({ tls }: NatsOptions, fault: unknown): string {
  const isBare = tls !== undefined && tls.cert === undefined;
  return sentenceOf(fault) + (isBare && (fault as NatsError).code === 'TIMEOUT' ? unshown : '');
}

/** Where NATS answers to: under the name of the user, so that its rights can be bounded to what is meant for it. */
function inboxOf({ user, nkeySeed }: NatsOptions): string {
  const proof = nkeySeed === '' ? undefined : nkeyAuthenticator(new TextEncoder().encode(nkeySeed))('');
  const name = proof !== undefined && 'nkey' in proof ? proof.nkey : user;
  return /^[\w-]+$/.test(name) ? `_INBOX.${name}` : '_INBOX';
}

function optionsOf(given: NatsOptions): ConnectionOptions {
  const { servers, name, user, password, token, credentials, nkeySeed, tls } = given;
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  return {
    servers: [...servers],
    name,
    timeout: connectMs,
    inboxPrefix: inboxOf(given),
    maxReconnectAttempts: -1,
    pingInterval: pingMs,
    maxPingOut: pingsMissedMax,
    ...(user === '' ? {} : { user, pass: password }),
    ...(token === '' ? {} : { token }),
    ...(credentials === '' ? {} : { authenticator: credsAuthenticator(bytes(credentials)) }),
    ...(nkeySeed === '' ? {} : { authenticator: nkeyAuthenticator(bytes(nkeySeed)) }),
    ...(tls === undefined ? {} : { tls: { ...tls, ...natsIdentity } }),
  };
}

function follow(connection: NatsConnection, events: ConnectionEvents, copies: Copies): void {
  void (async () => {
    for await (const { type, data } of connection.status()) {
      if (type === Events.Disconnect) events.away(`the connection to NATS at ${String(data)} is lost`);
      else if (type === Events.Reconnect) events.back();
      else if (type === DebugEvents.PingTimer) copies.beat();
    }
  })();
  void connection.closed().then((fault) => {
    events.closed(fault ? sentenceOf(fault) : 'the connection to NATS was closed');
  });
}

function bucketOf(
  connection: NatsConnection,
  jetstream: JetStreamClient,
  { name, keepMs }: StoreOptions,
): Promise<KV> {
  const about = { history: 1, ttl: keepMs, storage: StorageType.File, timeout: askMs };
  return copied(connection, (replicas) => jetstream.views.kv(name, { ...about, replicas }));
}

/** The library tells servers of copies in a word that newer ones refuse: the stream is made here, as it would be there. */
async function partsOf(connection: NatsConnection, name: string): Promise<NatsParts> {
  const jetstream = connection.jetstream({ timeout: partMs });
  const { streams } = await connection.jetstreamManager({ timeout: askMs });
  const stream = `OBJ_${name}`;
  const isMissing = (fault: unknown): boolean => codeOf(fault) === noStream;
  const known = await streams.info(stream).catch((fault: unknown) => {
    if (!isMissing(fault)) throw fault;
    return undefined;
  });
  if (known === undefined) {
    await copied(connection, (replicas) =>
      streams.add({
        name: stream,
        subjects: [`$O.${name}.C.>`, `$O.${name}.M.>`],
        num_replicas: replicas,
        storage: StorageType.File,
        discard: DiscardPolicy.New,
        allow_direct: true,
        allow_rollup_hdrs: true,
      }),
    );
  }
  return new NatsParts(name, await jetstream.views.os(name), jetstream);
}

/** On as many servers as there are for it. */
async function copied<T>(connection: NatsConnection, make: (replicas: number) => Promise<T>): Promise<T> {
  const wanted = connection.info?.cluster === undefined ? 1 : replicasWanted;
  try {
    return await make(wanted);
  } catch (fault) {
    const code = codeOf(fault);
    if (code !== undefined && tooFewServers.includes(code)) return make(1);
    if (code === madeOtherwise) return make(wanted);
    throw fault;
  }
}

async function addCopies(connection: NatsConnection, stream: string): Promise<Adding> {
  if (connection.info?.cluster === undefined) return 'full';
  const { streams } = await connection.jetstreamManager({ timeout: askMs, checkAPI: false });
  try {
    const { config } = await streams.info(stream);
    if (config.num_replicas < replicasWanted) await streams.update(stream, { num_replicas: replicasWanted });
    return 'full';
  } catch (fault) {
    if (isForbidden(fault)) return { refused: sentenceOf(fault) };
    throw fault;
  }
}

class NatsStore implements Store {
  private readonly bucket: KV;

  constructor(bucket: KV) {
    this.bucket = bucket;
  }

  watch(events: WatchEvents): Promise<() => void> {
    return inSentences(async () => {
      let isOver = false;
      const end = (reason: string): void => {
        if (!isOver) events.ended(reason);
        isOver = true;
      };
      const entries = await this.bucket.watch({
        initializedFn: () => {
          if (!isOver) events.caughtUp();
        },
      });
      void (async () => {
        for await (const entry of entries) {
          if (isOver) return;
          if (removedOperations.includes(entry.operation)) events.removed(entry.key, entry.revision);
          else events.put(entry.key, { text: entry.string(), revision: entry.revision });
        }
      })().then(
        () => end('NATS ended the watch'),
        (fault: unknown) => end(sentenceOf(fault)),
      );
      return () => {
        isOver = true;
        entries.stop();
      };
    });
  }

  put(key: string, text: string): Promise<number> {
    return inSentences(() => this.bucket.put(key, text));
  }

  read(key: string): Promise<Entry | undefined> {
    return inSentences(async () => {
      const entry = await this.bucket.get(key);
      if (entry === null || removedOperations.includes(entry.operation)) return undefined;
      return { text: entry.string(), revision: entry.revision };
    });
  }

  write(key: string, text: string, expected: number): Promise<number | undefined> {
    return unlessChanged(() =>
      expected === 0 ? this.bucket.create(key, text) : this.bucket.update(key, text, expected),
    );
  }

  async remove(key: string, expected: number): Promise<boolean> {
    const removed = await unlessChanged(async () => {
      await this.bucket.delete(key, { previousSeq: expected });
      return true;
    });
    return removed === true;
  }

  erase(key: string): Promise<void> {
    return inSentences(() => this.bucket.delete(key));
  }
}

class NatsParts implements Parts {
  private readonly name: string;
  private readonly objects: ObjectStore;
  private readonly jetstream: JetStreamClient;

  constructor(name: string, objects: ObjectStore, jetstream: JetStreamClient) {
    this.name = name;
    this.objects = objects;
    this.jetstream = jetstream;
  }

  list(): Promise<Set<string>> {
    return inSentences(async () => new Set((await this.objects.list()).map(({ name }) => name)));
  }

  put(name: string, bytes: Uint8Array): Promise<void> {
    return inSentences(async () => {
      await this.objects.putBlob({ name }, bytes, { timeout: partMs });
    });
  }

  /** Not as the library reads them: it would hash each piece in JavaScript, which takes twice as long as all the rest. */
  get(name: string, sizeBytes: number, givenUp: AbortSignal): Promise<Uint8Array | 'otherSize' | undefined> {
    return inSentences(async () => {
      const about = await this.objects.info(name);
      if (about === null || about.deleted) return undefined;
      if (about.size !== sizeBytes) return 'otherSize';
      if (sizeBytes === 0) return new Uint8Array();
      const wanted = consumerOpts();
      wanted.orderedConsumer();
      wanted.bindStream(`OBJ_${this.name}`);
      const pieces = await this.jetstream.subscribe(`$O.${this.name}.C.${about.nuid}`, wanted);
      const giveUp = (): void => pieces.unsubscribe();
      givenUp.addEventListener('abort', giveUp);
      const got: Uint8Array[] = [];
      let size = 0;
      try {
        // It may have been given up while this was asked: nobody tells that a second time.
        stopIf(givenUp);
        for await (const { data } of pieces) {
          got.push(data);
          size += data.length;
          if (size >= sizeBytes || givenUp.aborted) break;
        }
      } finally {
        givenUp.removeEventListener('abort', giveUp);
        pieces.unsubscribe();
      }
      stopIf(givenUp);
      return size === sizeBytes ? Buffer.concat(got, size) : 'otherSize';
    });
  }

  remove(name: string): Promise<void> {
    return inSentences(async () => {
      await this.objects.delete(name);
      const { streams } = await this.jetstream.jetstreamManager(false);
      await this.forget(streams, `$O.${this.name}.M.${encodeName(name)}`);
    });
  }

  /**
   * The library leaves a word of each part that it deletes, and all of those are told to whoever lists the parts. A part that was put
   * anew meanwhile stays.
   */
  private async forget(streams: StreamAPI, subject: string): Promise<void> {
    const stream = `OBJ_${this.name}`;
    const last = await lastOf(streams, stream, subject);
    if (last?.json<{ deleted?: boolean }>().deleted !== true) return;
    await streams.purge(stream, { filter: subject, seq: last.seq + 1 });
  }

  /** Pieces of which no part is told: whoever put it was killed before it could say what they are. And words of parts that are gone. */
  sweep(quietMs: number): Promise<number> {
    return inSentences(async () => {
      const { streams } = await this.jetstream.jetstreamManager(false);
      const stream = `OBJ_${this.name}`;
      const words = await streams.info(stream, { subjects_filter: `$O.${this.name}.M.>` });
      const known = new Set((await this.objects.list()).map(({ name }) => encodeName(name)));
      for (const subject of Object.keys(words.state.subjects ?? {}))
        if (!known.has(subject.slice(subject.lastIndexOf('.') + 1))) await this.forget(streams, subject);
      const pieces = `$O.${this.name}.C.`;
      // In this order: what comes to its end meanwhile is told.
      const { state, ts } = await streams.info(stream, { subjects_filter: `${pieces}>` });
      const told = new Set((await this.objects.list()).map(({ nuid }) => pieces + nuid));
      const at = Date.parse(ts ?? state.last_ts);
      let swept = 0;
      for (const subject of Object.keys(state.subjects ?? {})) {
        if (told.has(subject)) continue;
        const last = await streams.getMessage(stream, { last_by_subj: subject }).catch(() => undefined);
        if (last === undefined || at - last.time.getTime() < quietMs) continue;
        await streams.purge(stream, { filter: subject });
        swept++;
      }
      return swept;
    });
  }
}

/** As the library names the subject with the word of a part. */
function encodeName(name: string): string {
  return Buffer.from(name).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

async function lastOf(streams: StreamAPI, stream: string, subject: string): Promise<StoredMsg | undefined> {
  try {
    return await streams.getMessage(stream, { last_by_subj: subject });
  } catch (fault) {
    if (codeOf(fault) === noMessage) return undefined;
    throw fault;
  }
}

function stopIf(givenUp: AbortSignal): void {
  if (givenUp.aborted) throw new Error(String(givenUp.reason));
}
