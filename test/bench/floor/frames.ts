// Frames of HTTP/2 (RFC 9113, section 4) out of a stream of bytes and into one, with as few copies and objects as it takes.
import type { Socket } from 'node:net';

export const frameType = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flag = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;

/** The largest payload that every receiver takes. */
export const payloadBytesMax = 16_384;
const headBytes = 9;
const pageBytes = 64 * 1024;
const nothing = Buffer.alloc(0);

export type TakeFrame = (
  type: number,
  flags: number,
  stream: number,
  bytes: Buffer,
  from: number,
  to: number,
) => void;

/** Cuts what arrives into frames; the bytes that it hands over are gone after the call. */
export class FrameReader {
  private kept: Buffer = nothing;

  constructor(private readonly take: TakeFrame) {}

  read(arrived: Buffer): void {
    const bytes = this.kept.length === 0 ? arrived : Buffer.concat([this.kept, arrived]);
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const from = at + headBytes;
      const to = from + bytes.readUIntBE(at, 3);
      if (to > bytes.length) break;
      const stream = bytes.readUInt32BE(at + 5) & 0x7fffffff;
      this.take(bytes[at + 3] as number, bytes[at + 4] as number, stream, bytes, from, to);
      at = to;
    }
    this.kept = at === bytes.length ? nothing : Buffer.from(bytes.subarray(at));
  }
}

/** Collects what is said within one turn of the event loop into one write. */
export class FrameWriter {
  private page: Buffer = Buffer.allocUnsafe(pageBytes);
  private used = 0;
  private due = false;
  private readonly spare: Buffer[] = [];
  private readonly flush = (): void => {
    this.due = false;
    this.write();
  };

  constructor(private readonly socket: Socket) {}

  bytes(bytes: Uint8Array): void {
    this.makeRoom(bytes.length);
    this.page.set(bytes, this.used);
    this.used += bytes.length;
  }

  frame(type: number, flags: number, stream: number, payload: Buffer, from = 0, to = payload.length): void {
    this.makeRoom(headBytes + to - from);
    const { page, used } = this;
    page.writeUIntBE(to - from, used, 3);
    page[used + 3] = type;
    page[used + 4] = flags;
    page.writeUInt32BE(stream, used + 5);
    payload.copy(page, used + headBytes, from, to);
    this.used += headBytes + to - from;
  }

  /** A frame whose payload is one number. */
  number(type: number, stream: number, value: number): void {
    this.makeRoom(headBytes + 4);
    const { page, used } = this;
    page.writeUIntBE(4, used, 3);
    page[used + 3] = type;
    page[used + 4] = 0;
    page.writeUInt32BE(stream, used + 5);
    page.writeUInt32BE(value, used + headBytes);
    this.used += headBytes + 4;
  }

  private makeRoom(bytes: number): void {
    if (this.used + bytes > pageBytes) this.write();
    if (this.due) return;
    this.due = true;
    process.nextTick(this.flush);
  }

  private write(): void {
    const { page, used } = this;
    this.used = 0;
    if (used === 0 || this.socket.destroyed) return;
    this.page = this.spare.pop() ?? Buffer.allocUnsafe(pageBytes);
    this.socket.write(page.subarray(0, used), () => this.spare.push(page));
  }
}
