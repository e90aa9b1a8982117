// The transports under test, each with the way to give it a remote peer that can be killed.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makePair, pairOf } from '../../runtime/keys/pair.js';
import { KeyRing } from '../../runtime/keys/ring.js';
import { MemoryNetwork } from '../../runtime/post/memory.js';
import type { Transport, TransportFactory } from '../../runtime/post/transport.js';
import { zeromqTransport } from '../../runtime/post/zeromq.js';

export type Habit = 'echo' | 'part';

export interface Sibling {
  readonly name: string;
  readonly factory: TransportFactory;
  /** A fresh one each time. */
  endpoint(): string;
  /** Resolves when the peer runs. Killing it gives it no chance to say goodbye. */
  peer(direction: 'dial' | 'bind', endpoint: string, id: string, habit?: Habit): Promise<{ kill(): void }>;
  end(): void;
}

export function memorySibling(): Sibling {
  const network = new MemoryNetwork();
  let count = 0;
  return {
    name: 'memory',
    factory: network.transport,
    endpoint: () => `ipc:///memory/${++count}`,
    peer: async (direction, endpoint, id, habit = 'echo') => {
      const transport: Transport = network.transport(id, {
        opened: (link) => {
          if (direction === 'dial') transport.send(link, [Buffer.from('hello')]);
        },
        received: (link, frames) => {
          transport.send(link, frames);
          if (habit === 'echo') return;
          for (let word = 0; word < 100; word++) transport.send(link, [Buffer.from(`word ${word}`)]);
          void transport.close(500);
        },
        lost: () => {},
      });
      if (direction === 'dial') transport.dial(endpoint);
      else await transport.bind(endpoint);
      return { kill: () => network.cut(id) };
    },
    end: () => {},
  };
}

const peerFile = fileURLToPath(new URL('./peer.js', import.meta.url));

/** A ring with a pair of its own, made from that secret where one is given. */
export function ringWith(trusted: readonly string[] = [], secretKey = makePair().secretKey): KeyRing {
  const ring = new KeyRing();
  ring.take({ pair: pairOf(secretKey), trusted });
  return ring;
}

/** With keys all of them have the same. */
export function zeromqSibling(kind: 'ipc' | 'tcp', keys?: KeyRing): Sibling {
  const folder = mkdtempSync(join(tmpdir(), 'post-'));
  let count = 0;
  return {
    name: `zeromq over ${kind}${keys === undefined ? '' : ' with keys'}`,
    factory: zeromqTransport({ keys }),
    endpoint: () => (kind === 'tcp' ? 'tcp://127.0.0.1:0' : `ipc://${folder}/inner/${++count}`),
    peer: async (direction, endpoint, id, habit = 'echo') => {
      const child = fork(peerFile, [direction, endpoint, id, habit, keys?.pair?.secretKey ?? '']);
      await once(child, 'message');
      return { kill: () => child.kill('SIGKILL') };
    },
    end: () => rmSync(folder, { recursive: true, force: true }),
  };
}
