// Where the operators of a model really run, from the record of one run that ONNX Runtime writes: those that a device does
// not have it gives to the CPU without a word.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '../folder.js';
import type { DeviceKind } from './device.js';
import { runPrefix, trim } from './trim.js';

const providers: Readonly<Record<string, DeviceKind>> = {
  CPUExecutionProvider: 'cpu',
  WebGpuExecutionProvider: 'webgpu',
  JsExecutionProvider: 'webgpu',
  CUDAExecutionProvider: 'cuda',
  TensorrtExecutionProvider: 'tensorrt',
};
const namesShown = 4;

interface Event {
  readonly cat?: string;
  readonly name?: string;
  readonly args?: { readonly provider?: string; readonly op_name?: string };
}

export class OperatorRecord {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** In a folder of this user's cache the next sweeps up what a process left that was ended over it; empty: there is none. */
  static async begin(cache: string): Promise<OperatorRecord> {
    if (cache === '') return new OperatorRecord(await mkdtemp(join(tmpdir(), 'signalbox-operators-')));
    const folder = join(cache, 'operators');
    await makeFolder(folder, 0o700);
    await trim(folder, '.json', 0);
    return new OperatorRecord(await mkdtemp(join(folder, runPrefix)));
  }

  get prefix(): string {
    return join(this.#folder, 'run');
  }

  /** Of each operator that was run: which, and on what. */
  async read(): Promise<readonly (readonly [operator: string, on: string])[]> {
    const [file] = await readdir(this.#folder);
    if (file === undefined) return [];
    const events = JSON.parse(await readFile(join(this.#folder, file), 'utf8')) as readonly Event[];
    const found = new Map<string, readonly [string, string]>();
    for (const { cat, name = '', args } of events) {
      if (cat !== 'Node' || args?.provider === undefined) continue;
      found.set(name, [args.op_name ?? name, providers[args.provider] ?? args.provider]);
    }
    return [...found.values()];
  }

  async drop(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** What of them does not run there, in words; empty when all do. Throws where none does. */
export function elsewhere(kind: DeviceKind, operators: readonly (readonly [string, string])[]): string {
  const others = operators.filter(([, on]) => on !== kind && !(kind === 'tensorrt' && on === 'cuda'));
  if (others.length === 0) return '';
  const places = [...new Set(others.map(([, on]) => on))].join(', ');
  const names = [...new Set(others.map(([operator]) => operator))];
  const shown = names.slice(0, namesShown).join(', ') + (names.length > namesShown ? ', …' : '');
  const says = `${others.length} of ${operators.length} operators on ${places}: ${shown}`;
  if (others.length === operators.length) throw new Error(`${kind} has none of its operators (${says})`);
  return says;
}
