// Frames through a server: so many at a time, answered in their order, and those that come too late left out and counted.
import { now } from '../../clock.js';
import type { Asked } from '../asking.js';

export interface Frame {
  /** As a person knows it: a number, or the name of its file. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** How long it is shown. */
  readonly delayMs: number;
}

export interface PassedFrame {
  readonly frame: Frame;
  /** Undefined: it came too late. */
  readonly image: Asked | undefined;
  readonly tookMs: number;
}

export interface Passage {
  readonly inFlightMax: number;
  /** For each frame, from when it is sent; infinite: whatever it takes. */
  readonly deadlineMs: number;
  ask(frame: Frame): Promise<Asked>;
}

/** What a server says that can't answer in time; other refusals end the stream. */
const lateCodes = new Set(['DEADLINE_EXCEEDED', 'DEADLINE_PAST', 'OVERLOADED', 'DISPLACED', 'QUEUE_FULL']);

/** The next frame is read when there is room for it. */
export async function* passed(frames: AsyncIterable<Frame>, passage: Passage): AsyncGenerator<PassedFrame> {
  const source = frames[Symbol.asyncIterator]();
  const flight: Promise<PassedFrame>[] = [];
  try {
    for (let isOver = false; ; ) {
      while (!isOver && flight.length < passage.inFlightMax) {
        const next = await source.next();
        isOver = next.done === true;
        if (next.done !== true) flight.push(quiet(passOne(next.value, passage)));
      }
      const first = flight.shift();
      if (first === undefined) return;
      yield await first;
    }
  } finally {
    await Promise.allSettled(flight);
    await source.return?.();
  }
}

async function passOne(frame: Frame, { ask, deadlineMs }: Passage): Promise<PassedFrame> {
  const sentAt = now();
  let image: Asked | undefined;
  try {
    image = await ask(frame);
  } catch (fault) {
    const { code } = fault as { code?: unknown };
    if (deadlineMs === Number.POSITIVE_INFINITY || !lateCodes.has(String(code))) {
      throw new Error(`frame ${frame.name}: ${(fault as Error).message}`);
    }
  }
  const tookMs = now() - sentAt;
  return { frame, image: tookMs <= deadlineMs ? image : undefined, tookMs };
}

/** Its fault is told when its turn comes. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
