// Puts the frames of a run together: one frame is used as it lies, several are laid one after the other.
import { byteSize, type Tensor, type TensorHeader } from '../../proto/tensor.js';
import type { Run } from './executor.js';

type Input = Run['inputs'][number];

/** Where each input of a run begins in one common buffer: on multiples of 8, so that every datatype can be viewed. */
export interface Layout {
  readonly offsets: readonly number[];
  readonly sizes: readonly number[];
  readonly bytes: number;
}

/** Why an input's bytes are not what its header says; nothing when they are. */
export function findWrongInput(run: Run): string | undefined {
  for (const { header, frames } of run.inputs) {
    const wanted = byteSize(header);
    const given = sizeOf(frames);
    if (wanted >= 0 && given !== wanted) {
      return `input ${header.name} has ${given} bytes, ${header.datatype} [${header.shape}] has ${wanted}`;
    }
  }
  return undefined;
}

export function gatherInputs(run: Run): Tensor[] {
  return run.inputs.map((input) => ({ ...input.header, data: gatherFrames(input) }));
}

function gatherFrames({ frames }: Input): Uint8Array {
  const [first] = frames;
  if (first !== undefined && frames.length === 1) return first;
  const data = Buffer.allocUnsafeSlow(sizeOf(frames));
  copyFrames(frames, data, 0);
  return data;
}

export function layOut(run: Run): Layout {
  const offsets: number[] = [];
  const sizes: number[] = [];
  let bytes = 0;
  for (const { frames } of run.inputs) {
    const size = sizeOf(frames);
    offsets.push(bytes);
    sizes.push(size);
    bytes += (size + 7) & ~7;
  }
  return { offsets, sizes, bytes };
}

export function copyInputs(run: Run, layout: Layout, target: ArrayBuffer): void {
  const bytes = new Uint8Array(target);
  for (const [index, { frames }] of run.inputs.entries())
    copyFrames(frames, bytes, layout.offsets[index] as number);
}

export function viewInputs(headers: readonly TensorHeader[], layout: Layout, source: ArrayBuffer): Tensor[] {
  return headers.map((header, index) => ({
    ...header,
    data: new Uint8Array(source, layout.offsets[index] as number, layout.sizes[index] as number),
  }));
}

function copyFrames(frames: readonly Uint8Array[], target: Uint8Array, offset: number): void {
  let at = offset;
  for (const frame of frames) {
    target.set(frame, at);
    at += frame.byteLength;
  }
}

function sizeOf(frames: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const frame of frames) bytes += frame.byteLength;
  return bytes;
}
