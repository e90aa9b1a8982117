// The one contract of the executor, held by every backend in both places.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { places } from '../../proto/messages.js';
import { type BackendName, backendNames } from '../../runtime/executor/backend.js';
import { createExecutor } from '../../runtime/executor/factory.js';
import { entryOf, floatRun, floatsOf, identity, loaded, moduleOf, outcomeOf, successOf } from './models.js';
import { onnxIdentity } from './onnx.js';

const models = {
  onnxruntime: { onnx: onnxIdentity('FP32', 4) },
  echo: {},
  simulated: { config: { simulated: { alphaMs: 0, betaMs: 0 } } },
  module: { module: moduleOf(identity) },
} satisfies Record<BackendName, object>;

/** Others decide; a user's own code never runs on the main thread. */
const placesOf = (backend: BackendName) => (backend === 'module' ? (['thread'] as const) : places);

for (const backend of backendNames) {
  for (const placement of placesOf(backend)) {
    describe(`${backend} ${placement}`, () => {
      const given = { config: {}, ...models[backend] };
      const called = backend === 'module' ? './identity.mjs' : backend;
      const entry = entryOf({ ...given, config: { ...given.config, backend: called, placement } });
      const executor = createExecutor();
      const ready = loaded(executor, entry);
      after(() => executor.close());

      test('says where it is and how many rows it takes', async () => {
        const { place, rowsMax, runMs } = await ready;
        assert.deepEqual({ place, rowsMax }, { place: placement, rowsMax: 8 });
        assert.ok(runMs >= 0 && Number.isFinite(runMs));
      });

      test('gives every row its answer, whether frames are whole, split or unaligned', async () => {
        await ready;
        const whole = await successOf(executor, floatRun([[1, 2, 3, 4, 5, 6, 7, 8]], 4));
        assert.deepEqual(floatsOf(whole), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert.deepEqual(
          whole.outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape: [...shape] })),
          [{ name: 'y', datatype: 'FP32', shape: [2, 4] }],
        );
        assert.equal(whole.key, 'run-1');
        const split = await successOf(
          executor,
          floatRun(
            [
              [1, 2, 3, 4],
              [5, 6, 7, 8, 9, 10, 11, 12],
            ],
            4,
          ),
        );
        assert.deepEqual(floatsOf(split), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        const run = floatRun([[1, 2, 3, 4]], 4);
        const input = run.inputs[0]!;
        const shifted = Buffer.concat([Buffer.from('x'), input.frames[0]!]).subarray(1);
        const unaligned = { ...run, inputs: [{ ...input, frames: [shifted] }] };
        assert.deepEqual(floatsOf(await successOf(executor, unaligned)), [1, 2, 3, 4]);
      });

      test('leaves the frames as they were', async () => {
        await ready;
        const run = floatRun([[1, 2, 3, 4]], 4);
        await successOf(executor, run);
        assert.deepEqual([...new Float32Array(run.inputs[0]!.frames[0]!.buffer)], [1, 2, 3, 4]);
      });

      test('answers many runs, each with its own', async () => {
        await ready;
        const runs = Array.from({ length: 50 }, (_, at) =>
          floatRun([[at, 0, 0, -at]], 4, { key: `run-${at}` }),
        );
        const results = await Promise.all(runs.map((run) => successOf(executor, run)));
        assert.deepEqual(
          results.map((result) => [result.key, floatsOf(result)]),
          runs.map((run, at) => [run.key, [at, 0, 0, -at]]),
        );
      });

      test('refuses an unknown model, wrong bytes and an unknown output with a sentence', async () => {
        await ready;
        const unknown = await outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4, { model: 'nobody' }));
        assert.deepEqual(unknown, {
          key: 'run-1',
          ok: false,
          code: 'MODEL_FAILED',
          reason: 'nobody:1 is not loaded in this worker',
        });
        const run = floatRun([[1, 2, 3, 4]], 4);
        const short = { ...run, inputs: [{ ...run.inputs[0]!, frames: [new Uint8Array(12)] }] };
        const wrong = await outcomeOf(executor, short);
        assert.ok(!wrong.ok && wrong.code === 'MODEL_FAILED');
        assert.match(wrong.reason, /input x has 12 bytes, FP32 \[1,4\] has 16/);
        const absent = await outcomeOf(executor, floatRun([[1, 2, 3, 4]], 4, { outputs: ['z'] }));
        assert.ok(!absent.ok && absent.code === 'MODEL_FAILED');
        assert.match(absent.reason, /\bz\b/);
        assert.deepEqual(floatsOf(await successOf(executor, run)), [1, 2, 3, 4]);
      });

      test('is never called back before run has returned', async () => {
        await ready;
        let returned = false;
        for (const model of ['model', 'nobody']) {
          returned = false;
          await new Promise<void>((resolve) => {
            executor.run(floatRun([[1, 2, 3, 4]], 4, { model }), () => {
              assert.ok(returned, `${model} was answered inside run`);
              resolve();
            });
            returned = true;
          });
        }
      });

      test('unloads, while runs are in flight', async () => {
        const other = createExecutor();
        await loaded(other, entry);
        const running = outcomeOf(other, floatRun([[1, 2, 3, 4]], 4));
        other.unload('model', '1');
        assert.ok((await running).ok);
        const later = await outcomeOf(other, floatRun([[1, 2, 3, 4]], 4));
        assert.ok(!later.ok && later.code === 'MODEL_FAILED');
        await loaded(other, entry);
        assert.ok((await outcomeOf(other, floatRun([[1, 2, 3, 4]], 4))).ok);
        await other.close();
      });

      test('finishes what is in flight when it is closed, and takes nothing more', async () => {
        const other = createExecutor();
        await loaded(other, entry);
        const running = Array.from({ length: 20 }, () => outcomeOf(other, floatRun([[1, 2, 3, 4]], 4)));
        const closing = other.close();
        const late = await outcomeOf(other, floatRun([[1, 2, 3, 4]], 4));
        assert.ok(!late.ok && late.code === 'DEVICE_LOST');
        await closing;
        const ends = await Promise.all(running.map((run) => Promise.race([run, 'open'])));
        assert.ok(ends.every((end) => typeof end === 'object' && end.ok));
      });
    });
  }
}
