// What `node runtime infer` is sent for: a text, one image, or frames of an animation or a folder. All that can be wrong with
// the files is found before a server is asked.
import { stat, writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { now } from '../clock.js';
import { ConfigError } from '../config/load.js';
import type { Animation } from '../pipelines/image/codec.js';
import { formatOf } from '../pipelines/image/formats.js';
import { askElement, askImage, type Metadata, portsText } from './asking.js';
import { checkPlace, contentOf, unwritable } from './files.js';
import { passFrames } from './frames/command.js';
import { animationSink, folderSink } from './frames/sink.js';
import { animationFrames, folderFrames } from './frames/source.js';
import type { Passage } from './frames/stream.js';

export type Parameters = Readonly<Record<string, string>>;
type Flags = ReadonlyMap<string, string>;
type Errand = (url: string, metadata: Metadata, parameters: Parameters) => Promise<string>;

const written: Readonly<Record<string, string>> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
  '.gif': 'gif',
};
const deadlineMost = 3_600_000;

export function textErrand(bytes: Uint8Array): Errand {
  return async (url, metadata, parameters) => {
    const outputs = await askElement(url, metadata, bytes, parameters);
    return outputs.map(({ data }) => JSON.stringify(data)).join('\n');
  };
}

export async function imageErrand(given: Flags): Promise<Errand> {
  const [image = '', out] = [given.get('--image'), given.get('--out')];
  const isFolder = (await stat(image).catch(() => undefined))?.isDirectory() === true;
  const format = out === undefined ? undefined : written[extname(out).toLowerCase()];
  checkOut(out, format, isFolder);
  if (out !== undefined) await checkPlace(image, out, isFolder);
  const deadlineMs = deadlineOf(given);
  if (isFolder && out !== undefined) return folderErrand(image, out, deadlineMs);
  const bytes = await contentOf(image);
  const animation = await animationIn(bytes);
  const count = animation?.delaysMs.length ?? 1;
  if (out !== undefined && animation !== undefined && (format === 'gif' || (format === 'webp' && count > 1)))
    return animationErrand(bytes, animation, out, format, deadlineMs);
  if (format === 'gif') throw new ConfigError(`--out is ${out}, but ${image} is neither a GIF nor a WebP`);
  if (deadlineMs !== Number.POSITIVE_INFINITY)
    throw new ConfigError('--frame-deadline-ms is for frames: an animation to .gif or .webp, or a folder');
  return oneErrand(bytes, out, format, count);
}

function checkOut(out: string | undefined, format: string | undefined, isFolder: boolean): void {
  if (isFolder && (out === undefined || format !== undefined)) {
    const is = out === undefined ? 'is missing' : `is ${JSON.stringify(out)}`;
    throw new ConfigError(`--out ${is}; a folder of frames goes to a folder`);
  }
  if (isFolder || out === undefined || format !== undefined) return;
  throw new ConfigError(
    `--out is ${JSON.stringify(out)}; wanted is a file that ends in ${Object.keys(written).join(', ')}`,
  );
}

function deadlineOf(given: Flags): number {
  const text = given.get('--frame-deadline-ms');
  if (text === undefined) return Number.POSITIVE_INFINITY;
  const value = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= deadlineMost) return value;
  throw new ConfigError(
    `--frame-deadline-ms is ${text}; allowed is a whole number from 1 to ${deadlineMost}`,
  );
}

/** Of what may move; the image library is not loaded for anything else. */
async function animationIn(bytes: Uint8Array): Promise<Animation | undefined> {
  const format = formatOf(bytes);
  if (format !== 'gif' && format !== 'webp') return undefined;
  const { readAnimation } = await import('../pipelines/image/codec.js');
  return readAnimation(bytes);
}

function oneErrand(
  bytes: Uint8Array,
  out: string | undefined,
  format: string | undefined,
  count: number,
): Errand {
  return async (url, metadata, parameters) => {
    if (!givesImage(metadata)) {
      if (out !== undefined) throw noImage(metadata);
      return textErrand(bytes)(url, metadata, parameters);
    }
    if (out === undefined || format === undefined)
      throw new ConfigError(`${metadata.name} gives an image: --out FILE says where it is written`);
    const beganAt = now();
    const answer = await askImage(url, metadata, bytes, { ...parameters, format });
    if (answer === undefined) throw new Error(`${metadata.name} gave no image for --out`);
    await writeFile(out, answer.bytes).catch((fault: unknown) => {
      throw unwritable(out, fault);
    });
    const seconds = ((now() - beganAt) / 1000).toFixed(1);
    const first = count > 1 ? ` (the first of ${count} frames; --out FILE.gif or .webp takes all)` : '';
    return `${out}: ${answer.type}, ${answer.bytes.length} bytes, after ${seconds} s${first}`;
  };
}

async function folderErrand(folder: string, out: string, deadlineMs: number): Promise<Errand> {
  const frames = await folderFrames(folder);
  return async (url, metadata, parameters) => {
    if (!givesImage(metadata)) throw noImage(metadata);
    const ask = asking(url, metadata, parameters, deadlineMs);
    return passFrames(out, frames, await folderSink(out), ask, deadlineMs);
  };
}

function animationErrand(
  bytes: Uint8Array,
  animation: Animation,
  out: string,
  format: 'gif' | 'webp',
  deadlineMs: number,
): Errand {
  return async (url, metadata, parameters) => {
    if (!givesImage(metadata)) throw noImage(metadata);
    // GIF has few colours: they are chosen from all that the model gave.
    const still = { ...parameters, format: format === 'gif' ? 'png' : 'webp' };
    const ask = asking(url, metadata, still, deadlineMs);
    const sink = await animationSink(out, format, animation.loop);
    return passFrames(out, animationFrames(bytes, animation), sink, ask, deadlineMs);
  };
}

function asking(url: string, metadata: Metadata, parameters: Parameters, deadlineMs: number): Passage['ask'] {
  const timed =
    deadlineMs === Number.POSITIVE_INFINITY
      ? parameters
      : { ...parameters, timeout: String(deadlineMs * 1000) };
  return async ({ bytes }) => {
    const answer = await askImage(url, metadata, bytes, timed);
    if (answer === undefined) throw new Error(`${metadata.name} gave no image`);
    return answer;
  };
}

function givesImage({ outputs }: Metadata): boolean {
  return outputs.length === 1 && outputs[0]?.datatype === 'BYTES';
}

function noImage({ name, outputs }: Metadata): Error {
  return new Error(`${name} gives no image for --out: it gives ${portsText(outputs)}`);
}
