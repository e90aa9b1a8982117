// Work that nobody waits for any more: requests that are given up after 50 ms, by their deadline, by a cancel or with
// their connection, on a model that takes half a second. What of it is computed all the same, and how long those wait
// who come next.
import { requestBytes, rowOf } from '../processes/client.js';
import { pause } from '../processes/harness.js';
import { type Args, type Spread, say, saySpread, spread } from './figures.js';
import { type Answer, Asker } from './floor/asker.js';
import { framed } from './floor/loader.js';
import { onNode, type Scene } from './scene.js';

export const about =
  'requests given up early on a slow model: runs computed for nobody, and the wait of the next';
export const flags = {
  requests: 'requests that are given up (20)',
  rounds: 'rounds of each way to give up, at least 3 (3)',
};

const runMs = 500;
const givenUpMs = 50;
const workers = 2;

const ways = ['deadline', 'cancel', 'disconnect'] as const;
type Way = (typeof ways)[number];

interface Turn {
  /** Of the workers' time, in runs: what they were not free for those who came next. */
  readonly runs: number;
  /** From being asked to its own run, for the one who was served first. */
  readonly waitMs: number;
  /** Until the first run that had begun was over, when the next asked. */
  readonly leftMs: number;
}

export async function run(args: Args): Promise<Record<string, number>> {
  const requests = args.number('requests', 20);
  const rounds = Math.max(3, args.number('rounds', 3));
  const turns = new Map<string, Turn[]>();
  // With admission whoever can't be answered in 50 ms is not even taken; without it they all are.
  for (const admission of ['off', 'on']) {
    const flags = { 'worker-count': workers, admission };
    const fill = { alphaMs: runMs, rowsMax: 1 };
    await onNode(
      (folder) => folder.simulated('slow', fill),
      flags,
      async (scene) => {
        await Promise.all(Array.from({ length: workers }, () => scene.client.infer(rowOf('slow', 1))));
        for (let round = 0; round < rounds; round++) {
          for (const way of ways) {
            const key = `${way}, admission ${admission}`;
            turns.set(key, [...(turns.get(key) ?? []), await giveUp(scene, way, requests)]);
          }
        }
      },
    );
  }
  const runs: number[] = [];
  const waits: number[] = [];
  const beyond: number[] = [];
  for (const [key, all] of turns) {
    const of = (pick: (turn: Turn) => number): Spread => spread(all.map(pick));
    saySpread(
      `${key}: runs for nobody`,
      of((turn) => turn.runs),
    );
    saySpread(
      `${key}: the next waits`,
      of((turn) => turn.waitMs),
      ' ms',
    );
    runs.push(Math.round(of((turn) => turn.runs).median));
    waits.push(of((turn) => turn.waitMs).median);
    beyond.push(of((turn) => turn.waitMs - turn.leftMs).median);
  }
  return {
    runsComputed: Math.max(...runs),
    nextWaitMs: Math.max(...waits),
    nextWaitBeyondRunningMs: Math.max(...beyond),
  };
}

/** Then as many ask as there are workers, each for a whole run: together they tell how long each worker was taken. */
async function giveUp({ node }: Scene, way: Way, requests: number): Promise<Turn> {
  const body = framed(requestBytes(rowOf('slow', 1)));
  const leaving = await new Asker(node.grpcPort, 4).connected();
  const next = await new Asker(node.grpcPort, 1).connected();
  const begunAt = performance.now();
  const asked = Array.from({ length: requests }, () =>
    leaving.ask(body, way === 'deadline' ? givenUpMs : undefined, () => {}),
  );
  await pause(givenUpMs);
  if (way === 'cancel') for (const one of asked) one.cancel();
  if (way === 'disconnect') leaving.break();
  await pause(10);
  const nextAt = performance.now();
  const answers = await Promise.all(
    Array.from(
      { length: workers },
      () =>
        new Promise<Answer & { readonly at: number }>((resolve) => {
          next.ask(body, undefined, (answer) => resolve({ ...answer, at: performance.now() }));
        }),
    ),
  );
  for (const { status, code } of answers)
    if (status !== '0') say(`  the next was answered ${status} ${code}`);
  leaving.break();
  next.break();
  const startedAt = answers.map(({ at }) => Math.max(nextAt, at - runMs));
  const goneMs = nextAt - begunAt;
  // Who starts at once found a worker that nothing had been given to.
  const taken = startedAt.map((at) => (at - nextAt < runMs / 10 ? 0 : (at - begunAt) / runMs));
  return {
    runs: taken.reduce((sum, one) => sum + one, 0),
    waitMs: Math.min(...startedAt) - nextAt,
    leftMs: taken.some((one) => one > 0) ? runMs - goneMs : 0,
  };
}
