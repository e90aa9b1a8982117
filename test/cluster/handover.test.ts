// A node that leaves waits until others own what it did, while somebody may take it, and no longer than it is given.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HandoverOptions, handOver } from '../../cluster/handover.js';
import type { Role } from '../../proto/ids.js';

const self = 'scheduler-1.a';

/** At each look one more thing has come about. */
function leave(
  looks: readonly Partial<Stage>[],
  stage: Stage = { ...usual },
): Promise<[number, number, number]> {
  let time = 0;
  let at = 0;
  const options: HandoverOptions = {
    self,
    list: () => ({
      epoch: [1, self],
      owners: stage.owners.map((owner, number) => [`m${number}:1`, owner, [1, self]]),
    }),
    nodes: () =>
      [self, stage.other].map((id) => ({
        member: { id, roles: [stage.role], endpoint: '', host: '' },
        state: id === self ? 'draining' : stage.state,
      })),
    standing: () => stage.standing,
    mostMs: 100,
    lookMs: 10,
  };
  const pause = async (delayMs: number): Promise<void> => {
    time += delayMs;
    Object.assign(stage, looks[at++]);
  };
  return handOver(options, { now: () => time, pause }).then(({ models, kept }) => [models, kept, time]);
}

interface Stage {
  owners: readonly string[];
  other: string;
  role: Role;
  state: 'serving' | 'draining';
  standing: 'live' | 'frozen';
}

const usual: Stage = {
  owners: [self, 'scheduler-2.b', self],
  other: 'scheduler-2.b',
  role: 'scheduler',
  state: 'serving',
  standing: 'live',
};
const [mine, theirs] = [self, 'scheduler-2.b'];

test('waits until the last model that it had is owned by others', async () => {
  assert.deepEqual(
    await leave([{ owners: [theirs, theirs, mine] }, { owners: [theirs, theirs, theirs] }]),
    [2, 0, 20],
  );
});

test('who owns nothing waits for nothing', async () => {
  assert.deepEqual(await leave([], { ...usual, owners: [theirs] }), [0, 0, 0]);
});

test('waits for nobody where nobody could take it: no other scheduler serves, or the list is not kept', async () => {
  for (const amiss of [{ role: 'router' }, { state: 'draining' }, { standing: 'frozen' }] as const)
    assert.deepEqual(await leave([], { ...usual, ...amiss }), [2, 2, 0]);
  assert.deepEqual(await leave([{}, { standing: 'frozen' }]), [2, 2, 20], 'also when that comes about');
});

test('goes after the time that it is given, whatever is left', async () => {
  assert.deepEqual(await leave([{ owners: [mine, theirs] }]), [2, 1, 100]);
});
