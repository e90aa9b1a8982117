// The store in NATS: a JetStream bucket of keys and values, and the connection to it. The only file that knows the library;
// what it throws leaves here as sentences.
import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  Events,
  type JetStreamClient,
  type KV,
  type NatsConnection,
  type NatsError,
  nkeyAuthenticator,
  StorageType,
} from 'nats';
import type { Connection, ConnectionEvents, Entry, Store, StoreOptions, WatchEvents } from './store.js';

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
const reconnectMs = 250;
const pingMs = 2000;
const pingsMissedMax = 2;
const replicasWanted = 3;
const removedOperations = ['DEL', 'PURGE'];

/** err_codes of JetStream: the entry is not at the revision that was expected. */
const wrongRevision = [10071, 10164];
/** It has no three servers to keep copies on, or takes no copies at all. */
const tooFewServers = [10005, 10074];
/** Somebody else made it in the same moment, with other copies. */
const madeOtherwise = 10058;

/** One try at each of the servers. Rejects with a sentence; once connected it connects again by itself. */
export async function connectNats(options: NatsOptions, events: ConnectionEvents): Promise<Connection> {
  let connection: NatsConnection;
  try {
    connection = await connect(optionsOf(options));
  } catch (fault) {
    throw new Error(sentenceOf(fault));
  }
  follow(connection, events);
  const jetstream = connection.jetstream({ timeout: askMs });
  return {
    open: (wanted) => inSentences(async () => new NatsStore(await bucketOf(connection, jetstream, wanted))),
    close: () => connection.close(),
  };
}

function optionsOf(given: NatsOptions): ConnectionOptions {
  const { servers, name, user, password, token, credentials, nkeySeed, tls } = given;
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  return {
    servers: [...servers],
    name,
    timeout: connectMs,
    maxReconnectAttempts: -1,
    reconnectTimeWait: reconnectMs,
    reconnectJitter: reconnectMs,
    ignoreAuthErrorAbort: true,
    pingInterval: pingMs,
    maxPingOut: pingsMissedMax,
    ...(user === '' ? {} : { user, pass: password }),
    ...(token === '' ? {} : { token }),
    ...(credentials === '' ? {} : { authenticator: credsAuthenticator(bytes(credentials)) }),
    ...(nkeySeed === '' ? {} : { authenticator: nkeyAuthenticator(bytes(nkeySeed)) }),
    ...(tls === undefined ? {} : { tls }),
  };
}

function follow(connection: NatsConnection, events: ConnectionEvents): void {
  void (async () => {
    for await (const { type, data } of connection.status()) {
      if (type === Events.Disconnect) events.away(`the connection to NATS at ${String(data)} is lost`);
      else if (type === Events.Reconnect) events.back();
    }
  })();
  void connection.closed().then((fault) => {
    events.closed(fault ? sentenceOf(fault) : 'the connection to NATS was closed');
  });
}

async function bucketOf(
  connection: NatsConnection,
  jetstream: JetStreamClient,
  { name, keepMs }: StoreOptions,
): Promise<KV> {
  const make = (replicas: number): Promise<KV> =>
    jetstream.views.kv(name, {
      history: 1,
      ttl: keepMs,
      replicas,
      storage: StorageType.File,
      timeout: askMs,
    });
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

async function inSentences<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (fault) {
    throw new Error(sentenceOf(fault));
  }
}

function unlessChanged<T>(ask: () => Promise<T>): Promise<T | undefined> {
  return inSentences(async () => {
    try {
      return await ask();
    } catch (fault) {
      if (wrongRevision.includes(codeOf(fault) ?? 0)) return undefined;
      throw fault;
    }
  });
}

function codeOf(fault: unknown): number | undefined {
  return (fault as NatsError | undefined)?.api_error?.err_code;
}

const sentences: Readonly<Record<string, string>> = {
  CONNECTION_REFUSED: 'nobody listens there',
  TIMEOUT: 'it does not answer in time',
  AUTHORIZATION_VIOLATION: 'it refuses the credentials, or wants some',
  AUTHENTICATION_EXPIRED: 'the credentials have expired',
  BAD_CREDS: 'what was given as a credentials file is no credentials file',
  '503': 'JetStream does not answer: it is not enabled there, or has no leader now',
};

function sentenceOf(fault: unknown): string {
  const { code, message, chainedError, api_error } = fault as Partial<NatsError>;
  if (api_error?.description !== undefined) return api_error.description;
  const known = sentences[code ?? ''];
  if (known !== undefined) return known;
  return [message ?? String(fault), chainedError?.message].filter((part) => part).join(': ');
}
