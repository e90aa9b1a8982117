// Answers ZeroMQ's question who may connect (ZAP, its RFC 27): those whose key is listed, nobody else, and nothing is said
// of why. There is one such door in a process; each socket behind it is known by a domain and has its own list.
import { pause } from '../clock.js';
import type { KeyRing } from '../keys/ring.js';
import { type FrameSocket, receive } from './socket.js';

/** What of a ZeroMQ socket it takes to answer. */
export interface ZapSocket extends FrameSocket {
  send(frames: (Buffer | string)[]): Promise<void>;
  close(): void;
}

export const zapEndpoint = 'inproc://zeromq.zap.01';
const version = '1.0';
const keyBytes = 32;
const openTriesMax = 200;
const openAgainMs = 5;

export class ZapDoor {
  readonly #open: () => ZapSocket;
  readonly #rings = new Map<string, KeyRing>();
  #socket: ZapSocket | undefined;
  #opening: Promise<ZapSocket> | undefined;
  #count = 0;

  /** `open` throws while a door before this one is still being closed. */
  constructor(open: () => ZapSocket) {
    this.#open = open;
  }

  /** Resolves to the domain by which that ring is asked from now on. */
  async guard(ring: KeyRing): Promise<string> {
    this.#count += 1;
    const domain = `post-${this.#count}`;
    this.#rings.set(domain, ring);
    if (this.#socket !== undefined) return domain;
    this.#opening ??= this.#tryToOpen().finally(() => {
      this.#opening = undefined;
    });
    this.#socket = await this.#opening;
    return domain;
  }

  /** Without anybody behind it, it is closed: it would keep the process alive. */
  leave(domain: string): void {
    this.#rings.delete(domain);
    if (this.#rings.size > 0) return;
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #tryToOpen(): Promise<ZapSocket> {
    for (let time = 1; ; time++) {
      try {
        const socket = this.#open();
        void this.#answer(socket);
        return socket;
      } catch (fault) {
        if (time === openTriesMax) throw fault;
        await pause(openAgainMs);
      }
    }
  }

  async #answer(socket: ZapSocket): Promise<void> {
    for (;;) {
      const frames = await receive(socket);
      if (frames === undefined) return;
      await socket.send(answerTo(frames, this.#rings)).catch(() => {});
    }
  }
}

/** Sender, nothing, version, request, domain, address, routing id, mechanism, credentials. */
export function answerTo(
  frames: readonly Buffer[],
  rings: ReadonlyMap<string, KeyRing>,
): (Buffer | string)[] {
  const [sender, , , request, domain, address, , mechanism, credentials] = frames;
  const ring = rings.get(domain?.toString() ?? '');
  const hasKey = mechanism?.toString() === 'CURVE' && credentials?.length === keyBytes;
  const key = hasKey ? credentials.toString('hex') : '';
  const isListed = key !== '' && ring?.trusts(key) === true;
  if (!isListed) {
    ring?.turnedAway({
      at: address?.toString() ?? '',
      ...(key === '' ? {} : { key }),
      kind: 'unlistedHere',
      reason: 'its key is not listed here',
    });
  }
  return [sender ?? '', '', version, request ?? '', isListed ? '200' : '400', isListed ? 'OK' : '', '', ''];
}
