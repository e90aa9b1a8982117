// The process in the middle of a link of TAP devices: each packet that comes at one is lost, or goes out at the other when
// its time has come.
import { read, writeSync } from 'node:fs';
import { type Faults, Lane, type Way } from './faults.js';

const packetBytesMax = 2048;

class Pump {
  readonly lane: Lane;
  private readonly from: number;
  private readonly to: number;
  private readonly buffer = Buffer.allocUnsafe(packetBytesMax);
  private readonly held: { readonly packet: Buffer; readonly at: number }[] = [];

  constructor(way: Way, from: number, to: number, seed: number) {
    this.lane = new Lane(way, seed);
    this.from = from;
    this.to = to;
    this.next();
  }

  private next(): void {
    read(this.from, this.buffer, 0, packetBytesMax, null, (fault, count) => {
      // The device is gone, and the link with it.
      if (fault !== null) end();
      this.take(this.buffer.subarray(0, count));
      this.next();
    });
  }

  private take(packet: Buffer): void {
    const now = performance.now();
    const at = this.lane.arrivalAt(now);
    if (at === undefined) return;
    if (at <= now && this.held.length === 0) return this.hand(packet);
    this.held.push({ packet: Buffer.from(packet), at });
    if (this.held.length === 1) this.wait();
  }

  private wait(): void {
    for (let first = this.held[0]; first !== undefined; first = this.held[0]) {
      const leftMs = first.at - performance.now();
      if (leftMs > 0) {
        setTimeout(() => this.wait(), leftMs);
        return;
      }
      this.hand(first.packet);
      this.held.shift();
    }
  }

  private hand(packet: Buffer): void {
    try {
      writeSync(this.to, packet);
    } catch {
      // Nobody listens there: the device is down.
    }
  }
}

const [seed = 0, near = 0, far = 0] = process.argv.slice(2).map(Number);
const pumps = [new Pump('in', near, far, seed), new Pump('out', far, near, seed + 1)];

process.on('message', (faults: Faults) => {
  for (const { lane } of pumps) lane.faults = faults;
  process.send?.('set');
});
process.on('disconnect', end);
process.send?.('ready');

/** At once: reads that wait for packets would hold up an end in good order for ever. */
function end(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}
