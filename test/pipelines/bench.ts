// Pipelines over a model that the test plays itself: steps from real modules in real threads, jobs held or answered.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobEnd } from '../../proto/job.js';
import type { Tensor } from '../../proto/tensor.js';
import { settle } from '../../runtime/clock.js';
import type { Answer, Submission } from '../../runtime/doors/engine.js';
import { readModelConfig } from '../../runtime/models/config.js';
import { type Pipeline, readPipeline } from '../../runtime/pipelines/declaration.js';
import type { Inner } from '../../runtime/pipelines/passing.js';
import { type PipelineBounds, Pipelines } from '../../runtime/pipelines/pipelines.js';

export const bounds: PipelineBounds = {
  threadCount: 2,
  queueDepthMax: 100,
  queueBytesMax: 1 << 20,
  hungMs: 60_000,
};
const completed: JobEnd = { ending: 'completed', code: undefined, message: '', retryAfterMs: 0 };

export interface HeldJob {
  readonly inputs: readonly Tensor[];
  readonly leftMs: number;
  readonly priority: number;
  cancelled: string;
  /** What comes in goes out, or this. */
  finish(outputs?: readonly Tensor[], end?: Partial<JobEnd>): void;
}

/** A model that answers with what it is given, at once or when the test says so. */
export class Played {
  isHolding = false;
  /** How many requests have asked for the model and not let go of it. */
  held = 0;
  readonly jobs: HeldJob[] = [];
  #told: (() => void)[] = [];

  inner(): Inner {
    this.held++;
    return {
      release: () => void this.held--,
      model: 'played',
      submission: (inputs, priority, leftMs) => ({ inputs, priority, leftMs }) as unknown as Submission,
      submit: (submission, reply) => {
        const { inputs, priority, leftMs } = submission as unknown as HeldJob;
        let isOver = false;
        const finish = (outputs: readonly Tensor[] = inputs, end: Partial<JobEnd> = {}): void => {
          if (isOver) return;
          isOver = true;
          reply({ jobId: 'r/1', end: { ...completed, ...end }, outputs, times: undefined, path: () => [] });
        };
        const job: HeldJob = { inputs, priority, leftMs, cancelled: '', finish };
        this.jobs.push(job);
        if (!this.isHolding) settle(() => finish());
        for (const tell of this.#told.splice(0)) tell();
        return {
          cancel: (why) => {
            job.cancelled = why;
          },
        };
      },
    };
  }

  async has(count: number): Promise<void> {
    while (this.jobs.length < count) await new Promise<void>((resolve) => this.#told.push(resolve));
  }
}

export interface Scene {
  readonly pipelines: Pipelines;
  readonly played: Played;
  declare(config: string, stamp?: string): Pipeline;
  /** Puts another module in its place. */
  write(steps: string): Promise<void>;
  ask(
    pipeline: Pipeline,
    inputs: readonly Tensor[],
    how?: { budgetMs?: number; priority?: number; parameters?: Record<string, string | number> },
  ): Asked;
  end(): Promise<void>;
}

export interface Asked {
  readonly answer: Promise<Answer>;
  cancel(why: string): void;
}

export async function scene(steps: string, own: Partial<PipelineBounds> = {}): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'signalbox-steps-'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(join(folder, 'steps.js'), steps);
  const played = new Played();
  const pipelines = new Pipelines({ ...bounds, ...own }, () => played.inner());
  const place = { model: 'tried', version: '1', folder, versionFolder: folder };
  return {
    pipelines,
    played,
    write: (changed) => writeFile(join(folder, 'steps.js'), changed),
    declare: (config, stamp = '') => {
      const read = readModelConfig(config);
      const pipeline = typeof read === 'string' ? read : readPipeline(read, place);
      if (typeof pipeline !== 'object') throw new Error(pipeline ?? 'no pipeline');
      return { ...pipeline, stamp };
    },
    ask: (pipeline, inputs, how = {}) => {
      let cancel: (why: string) => void = () => {};
      const answer = new Promise<Answer>((resolve) => {
        const { budgetMs = 60_000, priority = 1, parameters = {} } = how;
        const ticket = pipelines.submit(
          pipeline,
          submission(inputs, budgetMs, priority),
          new Map(Object.entries(parameters)),
          resolve,
        );
        cancel = ticket.cancel;
      });
      return { answer, cancel: (why) => cancel(why) };
    },
    end: async () => {
      await pipelines.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function submission(inputs: readonly Tensor[], budgetMs: number, priority: number): Submission {
  return {
    spec: {
      model: 'tried',
      version: '1',
      rows: 1,
      shapeKey: '',
      inputs: inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
      outputs: [],
      bytes: inputs.reduce((sum, { data }) => sum + data.length, 0),
      priority,
      budgetMs,
      idempotent: true,
      identity: '',
      hedge: false,
    },
    payload: inputs.map(({ data }) => data),
  };
}

export function bytes(name: string, ...values: number[]): Tensor {
  return { name, datatype: 'UINT8', shape: [values.length], data: Uint8Array.from(values) };
}
