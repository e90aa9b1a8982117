// A model that multiplies by a factor, so that each answer tells which files it came from, and clients who ask it without
// a break.
import assert from 'node:assert/strict';
import { writeOnnx } from '../executor/onnx.js';
import { type GrpcClient, rowOf } from './client.js';
import { until } from './harness.js';

/** y = factor·x, of rows of four. */
export function scaling(factor: number, operator = 'MatMul'): Uint8Array {
  const values = Float32Array.from({ length: 16 }, (_, at) => (at % 5 === 0 ? factor : 0));
  return writeOnnx({
    inputs: [{ name: 'x', datatype: 'FP32', shape: ['rows', 4] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: ['rows', 4] }],
    nodes: [{ operator, inputs: ['x', 'w'], outputs: ['y'] }],
    weights: [{ name: 'w', shape: [4, 4], values }],
  });
}

interface Asked {
  readonly sentAt: number;
  readonly factor: number;
}

/** Asks without a break, so many at a time; every answer must be some factor of its question. */
export class Asking {
  readonly answers: Asked[] = [];
  readonly errors: string[] = [];
  private readonly loops: Promise<void>[] = [];
  private stopping = false;
  private value = 1;

  constructor(client: GrpcClient, width: number) {
    for (let at = 0; at < width; at++) this.loops.push(this.ask(client));
  }

  /** Resolves when somebody who asked after now has been answered; with the factor. */
  async next(): Promise<number> {
    const since = performance.now();
    const later = (): Asked[] => this.answers.filter(({ sentAt }) => sentAt > since);
    await until('answers to later questions', () => later().length >= 20);
    const factors = new Set(later().map(({ factor }) => factor));
    assert.equal(factors.size, 1, `who asks after the change gets one answer: ${[...factors]}`);
    return [...factors][0] as number;
  }

  /** Resolves when that factor answers, and nothing else any more. */
  async reaches(factor: number): Promise<void> {
    await until(`answers with the factor ${factor}`, () => this.answers.at(-1)?.factor === factor);
    assert.equal(await this.next(), factor);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.loops);
  }

  private async ask(client: GrpcClient): Promise<void> {
    while (!this.stopping) {
      this.value = this.value >= 1000 ? 1 : this.value + 1;
      const { value } = this;
      const answer = await client.infer({ ...rowOf('scaled', value), deadlineMs: 20_000 });
      if (answer.status !== 'OK') this.errors.push(`${answer.status} ${answer.message} after ${answer.path}`);
      else this.answers.push({ sentAt: answer.sentAt, factor: (answer.values[0] as number) / value });
    }
  }
}
