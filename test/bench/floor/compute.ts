// The compute that no server can do without: a model run in this process by ONNX Runtime alone, as often as asked.
import * as ort from 'onnxruntime-node';

export interface BareModel {
  run(): Promise<unknown>;
  /** Runs for so long: how many a second, and what CPU time each took. */
  flatOut(seconds: number): Promise<{ readonly perSecond: number; readonly cpuMsEach: number }>;
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
