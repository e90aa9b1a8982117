// The compute that no server can do without: a model run by ONNX Runtime alone, in this process or in several at once as
// workers do, for a core costs more when its neighbour is at work too.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';

export interface Computed {
  readonly perSecond: number;
  /** CPU time of one run. */
  readonly cpuMsEach: number;
}

export interface BareModel {
  run(): Promise<unknown>;
  flatOut(seconds: number): Promise<Computed>;
  end(): Promise<void>;
}

export async function loadBare(file: string, shape: readonly number[], threads: number): Promise<BareModel> {
  const session = await ort.InferenceSession.create(file, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const name = session.inputNames[0] as string;
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  const run = () => {
    const data = new Float32Array(size).fill(0.5);
    return session.run({ [name]: new ort.Tensor('float32', data, [...shape]) });
  };
  return {
    run,
    async flatOut(seconds) {
      const cpu = process.cpuUsage();
      const began = performance.now();
      let count = 0;
      for (; performance.now() < began + seconds * 1000; count++) await run();
      const tookMs = performance.now() - began;
      const { user, system } = process.cpuUsage(cpu);
      return { perSecond: (count * 1000) / tookMs, cpuMsEach: (user + system) / 1000 / count };
    },
    end: () => session.release(),
  };
}

/** Processes with one thread each. */
export class BareCrew {
  private readonly children: readonly ChildProcess[];

  constructor(count: number, file: string, shape: readonly number[]) {
    const order = JSON.stringify({ file, shape });
    this.children = Array.from({ length: count }, () =>
      fork(fileURLToPath(import.meta.url), [order], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
    );
  }

  async flatOut(seconds: number): Promise<Computed> {
    const parts = await Promise.all(
      this.children.map(
        (child) =>
          new Promise<Computed>((resolve) => {
            child.once('message', (computed: Computed) => resolve(computed));
            child.send(seconds);
          }),
      ),
    );
    const perSecond = parts.reduce((sum, part) => sum + part.perSecond, 0);
    return { perSecond, cpuMsEach: parts.reduce((sum, part) => sum + part.cpuMsEach, 0) / parts.length };
  }

  end(): void {
    for (const child of this.children) child.disconnect();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { file, shape } = JSON.parse(process.argv[2] ?? '{}') as { file: string; shape: number[] };
  const model = loadBare(file, shape, 1);
  process.on('disconnect', () => process.exit(0));
  process.on('message', (seconds: number) => {
    void model.then((loaded) => loaded.flatOut(seconds)).then((computed) => process.send?.(computed));
  });
}
