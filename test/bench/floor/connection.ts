// One HTTP/2 connection of a client that only makes calls: a body out, within the windows that the server gives, and of
// the answer only the two headers that tell how it ended.
import { connect, type Socket } from 'node:net';
import type { Call } from './asker.js';
import { FrameReader, FrameWriter, flag, frameType, payloadBytesMax } from './frames.js';
import { BlockReader } from './header-block.js';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const windowMax = 0x7fffffff;
const usualWindow = 65_535;
/** How much of an answer is taken before the window is opened again. */
const windowStep = 1 << 29;
const cancelled = 8;

const setting = { headerTableSize: 1, enablePush: 2, maxConcurrentStreams: 3, initialWindowSize: 4 } as const;
const ours = settings([
  [setting.headerTableSize, 0],
  [setting.enablePush, 0],
  [setting.initialWindowSize, windowMax],
]);
const nothing = Buffer.alloc(0);

/** What arrives is read before the next arrives: one buffer does for all connections. */
const arriving = Buffer.allocUnsafeSlow(64 * 1024);

export class Connection {
  /** Once the server has said what it allows. */
  readonly ready: Promise<void>;
  private readonly socket: Socket;
  private readonly out: FrameWriter;
  private readonly block: BlockReader;
  private readonly calls = new Map<number, Call>();
  /** Calls whose bodies are not all out yet. */
  private readonly waiting: Call[] = [];
  private reading: Call | undefined;
  private partBlock = nothing;
  private partEnds = false;
  private lastStream = -1;
  private callsMax = Number.POSITIVE_INFINITY;
  private callWindow = usualWindow;
  private window = usualWindow;
  private taken = 0;
  private gone = false;
  private isReady: () => void = () => {};

  constructor(port: number) {
    const frames = new FrameReader((type, flags, stream, bytes, from, to) =>
      this.frame(type, flags, stream, bytes, from, to),
    );
    const callback = (count: number, bytes: Uint8Array): boolean => {
      frames.read((bytes as Buffer).subarray(0, count));
      return true;
    };
    this.socket = connect({ port, host: '127.0.0.1', onread: { buffer: arriving, callback } });
    this.socket.setNoDelay(true);
    this.out = new FrameWriter(this.socket);
    this.block = new BlockReader(
      (name) => name === 'grpc-status' || name === 'signalbox-code',
      (name, value) => {
        if (this.reading !== undefined) this.reading[name === 'grpc-status' ? 'status' : 'code'] = value;
      },
    );
    this.ready = new Promise((resolve, reject) => {
      this.isReady = resolve;
      this.socket.once('close', () => reject(new Error(`nobody speaks HTTP/2 on port ${port}`)));
    });
    this.ready.catch(() => {});
    this.socket.on('error', () => {});
    this.socket.once('close', () => this.leave(-1));
    this.out.bytes(preface);
    this.out.frame(frameType.settings, 0, 0, ours);
    this.out.number(frameType.windowUpdate, 0, windowMax - usualWindow);
  }

  ask(call: Call): void {
    if (this.gone) setImmediate(() => this.end(call));
    else if (!this.send(call)) this.waiting.push(call);
  }

  cancel(call: Call): void {
    if (call.over) return;
    if (call.stream > 0) this.out.number(frameType.resetStream, call.stream, cancelled);
    this.end(call);
  }

  break(): void {
    this.socket.destroy();
  }

  /** As much of it as is allowed now; true when there is nothing left to send. */
  private send(call: Call): boolean {
    if (call.over) return true;
    if (call.stream === 0) {
      if (this.calls.size >= this.callsMax) return false;
      this.lastStream += 2;
      call.stream = this.lastStream;
      call.window = this.callWindow;
      this.calls.set(call.stream, call);
      this.out.frame(frameType.headers, flag.endHeaders, call.stream, call.block);
    }
    while (call.sent < call.body.length) {
      const room = Math.min(payloadBytesMax, call.window, this.window);
      if (room <= 0) return false;
      const to = Math.min(call.sent + room, call.body.length);
      const flags = to === call.body.length ? flag.endStream : 0;
      this.out.frame(frameType.data, flags, call.stream, call.body, call.sent, to);
      call.window -= to - call.sent;
      this.window -= to - call.sent;
      call.sent = to;
    }
    return true;
  }

  private sendMore(): void {
    let kept = 0;
    for (const call of this.waiting) {
      if (!this.send(call)) this.waiting[kept++] = call;
    }
    this.waiting.length = kept;
  }

  private end(call: Call): void {
    if (call.over) return;
    call.over = true;
    this.calls.delete(call.stream);
    call.done(call);
    if (this.waiting.length > 0 && !this.gone) this.sendMore();
  }

  /** The server hears no call after this one. */
  private leave(last: number): void {
    this.gone = true;
    for (const call of this.calls.values()) if (call.stream > last) this.end(call);
    for (const call of this.waiting) if (call.stream === 0) this.end(call);
  }

  private frame(type: number, flags: number, stream: number, bytes: Buffer, from: number, to: number): void {
    switch (type) {
      case frameType.data:
        this.take(to - from);
        if (flags & flag.endStream) this.answered(stream);
        return;
      case frameType.headers:
        this.partEnds = (flags & flag.endStream) !== 0;
        this.partBlock = nothing;
        this.headers(flags, stream, bytes, withoutPriority(flags, from), to - padding(flags, bytes, from));
        return;
      case frameType.continuation:
        this.headers(flags, stream, bytes, from, to);
        return;
      case frameType.resetStream: {
        const call = this.calls.get(stream);
        if (call !== undefined) this.end(call);
        return;
      }
      case frameType.settings:
        if (flags & flag.ack) return;
        this.allow(bytes, from, to);
        this.out.frame(frameType.settings, flag.ack, 0, nothing);
        this.isReady();
        return;
      case frameType.ping:
        if (!(flags & flag.ack)) this.out.frame(frameType.ping, flag.ack, 0, bytes, from, to);
        return;
      case frameType.goAway:
        this.leave(bytes.readUInt32BE(from) & windowMax);
        return;
      case frameType.windowUpdate:
        this.widen(stream, bytes.readUInt32BE(from) & windowMax);
        return;
    }
  }

  private headers(flags: number, stream: number, bytes: Buffer, from: number, to: number): void {
    if (!(flags & flag.endHeaders) || this.partBlock.length > 0) {
      this.partBlock = Buffer.concat([this.partBlock, bytes.subarray(from, to)]);
      if (!(flags & flag.endHeaders)) return;
      this.read(stream, this.partBlock, 0, this.partBlock.length);
    } else this.read(stream, bytes, from, to);
    if (this.partEnds) this.answered(stream);
  }

  private read(stream: number, bytes: Buffer, from: number, to: number): void {
    this.reading = this.calls.get(stream);
    if (this.reading !== undefined) this.block.read(bytes, from, to);
  }

  /** Who answers before it has heard all is told that no more comes. */
  private answered(stream: number): void {
    const call = this.calls.get(stream);
    if (call === undefined) return;
    if (call.sent < call.body.length) this.out.number(frameType.resetStream, stream, cancelled);
    this.end(call);
  }

  private take(bytes: number): void {
    this.taken += bytes;
    if (this.taken < windowStep) return;
    this.out.number(frameType.windowUpdate, 0, this.taken);
    this.taken = 0;
  }

  private allow(bytes: Buffer, from: number, to: number): void {
    for (let at = from; at < to; at += 6) {
      const [name, value] = [bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2)];
      if (name === setting.maxConcurrentStreams) this.callsMax = value;
      if (name !== setting.initialWindowSize) continue;
      for (const call of this.calls.values()) call.window += value - this.callWindow;
      this.callWindow = value;
    }
    this.sendMore();
  }

  private widen(stream: number, bytes: number): void {
    const call = this.calls.get(stream);
    if (stream === 0) this.window += bytes;
    else if (call !== undefined) call.window += bytes;
    this.sendMore();
  }
}

function settings(pairs: readonly (readonly [number, number])[]): Buffer {
  const bytes = Buffer.alloc(pairs.length * 6);
  for (const [index, [name, value]] of pairs.entries()) {
    bytes.writeUInt16BE(name, index * 6);
    bytes.writeUInt32BE(value, index * 6 + 2);
  }
  return bytes;
}

function padding(flags: number, bytes: Buffer, from: number): number {
  return flags & flag.padded ? (bytes[from] as number) : 0;
}

function withoutPriority(flags: number, from: number): number {
  return from + (flags & flag.padded ? 1 : 0) + (flags & flag.priority ? 5 : 0);
}
