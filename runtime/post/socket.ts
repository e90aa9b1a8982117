// What the sockets of ZeroMQ have in common here: reading until they are closed, what became of what could not be sent, and
// how long to wait between looks at what the library has reported.
import { align, type LinkId, type TransportEvents } from './transport.js';

export interface FrameSocket {
  readonly closed: boolean;
  receive(): Promise<Buffer[]>;
}

export type Fault = NodeJS.ErrnoException | undefined;

export const handshakeFaults = [
  'handshake:error:auth',
  'handshake:error:protocol',
  'handshake:error:other',
] as const;
export type HandshakeFault = (typeof handshakeFaults)[number];

/** It reports before it carries out. */
const lookDelaysMs = [0.5, 1, 2, 5, 10, 25, 50, 100, 250];
export const looksInHaste = lookDelaysMs.length;

export function lookDelayMs(turn: number): number {
  return lookDelaysMs[Math.min(turn, looksInHaste - 1)] as number;
}

/** The next delivery; nothing once the socket is closed. */
export async function receive(socket: FrameSocket): Promise<Buffer[] | undefined> {
  try {
    return socket.closed ? undefined : await socket.receive();
  } catch {
    return undefined;
  }
}

export function hand(link: LinkId, frames: Buffer[], events: TransportEvents): void {
  if (frames.length > 0) events.received(link, align(frames));
}

export function whyUnsent(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EHOSTUNREACH') return 'its connection ended';
  if (code === 'EAGAIN') return 'it does not read: its queue is full';
  return message;
}
