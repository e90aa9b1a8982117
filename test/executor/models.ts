// Models and runs for the executor's tests: entries as the repository would give them, files written to a folder that is
// removed at the end.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { Datatype } from '../../proto/tensor.js';
import type { Executor, Loaded, Run, RunResult, RunSuccess } from '../../runtime/executor/executor.js';
import { defaultModelConfig, type ModelConfig } from '../../runtime/models/config.js';
import type { ModelEntry, ModelTensor } from '../../runtime/models/entry.js';
import { readOnnxBytes } from '../../runtime/models/onnx.js';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-executor-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let paths = 0;

/** Of nothing that is there yet. */
export function temporaryPath(name: string): string {
  return join(folder, `${name}-${++paths}`);
}

/** A user's module that gives its input x back as y. */
export const identity = `export const load = async ({ outputs: [{ name }] }) => ({
  infer: async ({ inputs: [x] }) => [{ name, shape: x.shape, data: x.data }],
})`;

/** The path of a module with this text. */
export function moduleOf(text: string, suffix = 'mjs'): string {
  const path = `${temporaryPath('backend')}.${suffix}`;
  writeFileSync(path, text);
  return path;
}

export interface Wanted {
  readonly name?: string;
  readonly config?: Partial<ModelConfig>;
  readonly inputs?: readonly ModelTensor[];
  readonly outputs?: readonly ModelTensor[];
  readonly maxBatch?: number;
  /** The model file's content. */
  readonly onnx?: Uint8Array;
  /** The path of a backend of its own. */
  readonly module?: string;
}

function nodesIn(onnx: Uint8Array): number {
  const graph = readOnnxBytes(onnx);
  return typeof graph === 'string' ? 0 : graph.nodeCount;
}

export function tensor(name: string, datatype: Datatype, shape: readonly number[]): ModelTensor {
  return { name, datatype, shape };
}

/** Input x and output y of [rows, 4] floats where nothing else is said. */
export function entryOf(wanted: Wanted): ModelEntry {
  const name = wanted.name ?? 'model';
  const maxBatch = wanted.maxBatch ?? 8;
  const file =
    wanted.onnx === undefined ? '' : join(folder, `${name}-${Math.trunc(performance.now() * 1000)}.onnx`);
  if (wanted.onnx !== undefined) writeFileSync(file, wanted.onnx);
  return {
    name,
    version: '1',
    state: 'available',
    reason: '',
    config: { ...defaultModelConfig, maxBatch, ...wanted.config },
    inputs: wanted.inputs ?? [tensor('x', 'FP32', [-1, 4])],
    outputs: wanted.outputs ?? [tensor('y', 'FP32', [-1, 4])],
    maxBatch,
    file,
    sizeBytes: wanted.onnx?.length ?? 0,
    nodeCount: wanted.onnx === undefined ? 0 : nodesIn(wanted.onnx),
    folder,
    module: wanted.module ?? '',
  };
}

export async function loaded(executor: Executor, entry: ModelEntry): Promise<Extract<Loaded, { ok: true }>> {
  const result = await executor.load(entry);
  if (!result.ok) throw new Error(result.reason);
  return result;
}

/** A run of one float input `x`, a frame for each job. */
export function floatRun(
  frames: readonly (readonly number[])[],
  width: number,
  more: Partial<Run> = {},
): Run {
  const rows = frames.map((frame) => frame.length / width);
  const shape = [rows.reduce((sum, count) => sum + count, 0), width];
  const bytes = frames.map((frame) => bytesOf(Float32Array.from(frame)));
  return {
    key: 'run-1',
    model: 'model',
    version: '1',
    place: 'thread',
    inputs: [{ header: { name: 'x', datatype: 'FP32', shape }, frames: bytes }],
    rows,
    outputs: [],
    ...more,
  };
}

export function outcomeOf(executor: Executor, run: Run): Promise<RunResult> {
  return new Promise((resolve) => executor.run(run, resolve));
}

export async function successOf(executor: Executor, run: Run): Promise<RunSuccess> {
  const result = await outcomeOf(executor, run);
  if (!result.ok) throw new Error(`${result.code}: ${result.reason}`);
  return result;
}

export function floatsOf(result: RunSuccess, index = 0): number[] {
  const data = Uint8Array.from(result.outputs[index]?.data ?? []);
  return [...new Float32Array(data.buffer)];
}

export function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
