// `node runtime infer` with frames: an animation or a folder of images, through the model one by one and out again, with a
// line about how many came in time and how fast.
import { now } from '../../clock.js';
import type { FrameSink } from './sink.js';
import type { Frames } from './source.js';
import { type Passage, passed } from './stream.js';

/** As many as keep a worker busy while others are unpacked and packed; more would only wait. */
export const inFlightMax = 2;
const lateNamedMax = 10;

/** What is to be told of it. */
export async function passFrames(
  out: string,
  frames: Frames,
  sink: FrameSink,
  ask: Passage['ask'],
  deadlineMs: number,
): Promise<string> {
  const beganAt = now();
  const late: string[] = [];
  const tookMs: number[] = [];
  try {
    for await (const frame of passed(frames, { inFlightMax, deadlineMs, ask })) {
      if (frame.image === undefined) late.push(frame.frame.name);
      else tookMs.push(frame.tookMs);
      await sink.take(frame);
    }
    if (tookMs.length === 0) {
      throw new Error(`not one of ${late.length} frames came within ${deadlineMs} ms`);
    }
    await sink.end();
  } catch (fault) {
    throw new Error(`${(fault as Error).message}; ${await sink.giveUp()}`);
  }
  return `${out}: ${speedText(tookMs, now() - beganAt)}${lateText(late, deadlineMs)}`;
}

function speedText(tookMs: number[], inAllMs: number): string {
  tookMs.sort((a, b) => a - b);
  const median = Math.round(tookMs[Math.floor(tookMs.length / 2)] as number);
  const most = Math.round(tookMs.at(-1) as number);
  const perSecond = ((tookMs.length * 1000) / inAllMs).toFixed(2);
  const frames = tookMs.length === 1 ? '1 frame' : `${tookMs.length} frames`;
  return `${frames}, ${perSecond} fps, ${median} ms a frame (median; ${most} ms at most)`;
}

function lateText(late: readonly string[], deadlineMs: number): string {
  if (late.length === 0) return '';
  const named = late.slice(0, lateNamedMax).join(', ');
  const more = late.length > lateNamedMax ? ` and ${late.length - lateNamedMax} more` : '';
  return `; left out as later than ${deadlineMs} ms: ${late.length} (${named}${more})`;
}
