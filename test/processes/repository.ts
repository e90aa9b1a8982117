// Model repositories made for one test: simulated models with known costs and faults, echoes, and whatever broken files
// a test wants to see refused.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SimulatedFault } from '../../runtime/executor/simulated.js';
import type { Scratch } from './harness.js';

export interface SimulatedCost {
  readonly alphaMs?: number;
  readonly betaMs?: number;
  readonly rowsMax?: number;
  readonly placement?: 'inline' | 'thread';
  readonly runLongestMs?: number;
  /** Rows that begin with the number commit the fault. */
  readonly faultInput?: Readonly<Partial<Record<SimulatedFault, number>>>;
}

let repositories = 0;

export class ModelFolder {
  readonly folder: string;

  constructor(scratch: Scratch) {
    repositories++;
    this.folder = scratch.path(`models-${repositories}`);
    mkdirSync(this.folder);
  }

  /** Takes and gives `[rows, 4]` FP32, what comes in goes out. */
  simulated(name: string, cost: SimulatedCost = {}, more: readonly string[] = []): this {
    const {
      alphaMs = 2,
      betaMs = 0,
      rowsMax = 4,
      placement = 'thread',
      runLongestMs,
      faultInput = {},
    } = cost;
    return this.config(name, [
      'backend: simulated',
      `maxBatch: ${rowsMax}`,
      `placement: ${placement}`,
      ...(runLongestMs === undefined ? [] : [`runLongestMs: ${runLongestMs}`]),
      'inputs: [{ name: x, datatype: FP32, shape: [-1, 4] }]',
      'outputs: [{ name: y, datatype: FP32, shape: [-1, 4] }]',
      `simulated: ${JSON.stringify({ alphaMs, betaMs, faultInput })}`,
      ...more,
    ]);
  }

  /** Takes and gives any number of FP32 in one row. */
  echo(name: string): this {
    return this.config(name, [
      'backend: echo',
      'maxBatch: 0',
      'inputs: [{ name: x, datatype: FP32, shape: [-1] }]',
      'outputs: [{ name: y, datatype: FP32, shape: [-1] }]',
    ]);
  }

  onnx(name: string, file: Uint8Array, config: readonly string[] = []): this {
    if (config.length > 0) this.config(name, config);
    return this.file(`${name}/1/model.onnx`, file);
  }

  config(name: string, lines: readonly string[]): this {
    return this.file(`${name}/config.yaml`, `${lines.join('\n')}\n`);
  }

  file(path: string, content: string | Uint8Array): this {
    const whole = join(this.folder, path);
    mkdirSync(dirname(whole), { recursive: true });
    writeFileSync(whole, content);
    return this;
  }
}
