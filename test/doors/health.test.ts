// The door for probes: what it answers, to whom, and that each missing thing makes a node unready by its sentence.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Role } from '../../proto/ids.js';
import { type Condition, createHealthDoor } from '../../runtime/doors/health.js';
import { type Facts, whyUnready } from '../../runtime/node/readiness.js';

const log = { info: () => {}, warn: () => {}, error: () => {} };

describe('the door for probes', async () => {
  let condition: Condition = { reason: '' };
  const door = createHealthDoor(() => condition, { host: '127.0.0.1', port: 0 }, log);
  const { port } = await door.start();
  after(() => door.stop(0));

  async function ask(path: string, method = 'GET'): Promise<readonly [number, unknown]> {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    const text = await answer.text();
    return [answer.status, text === '' ? '' : JSON.parse(text)];
  }

  test('says that it lives, and whether it is ready or why not', async () => {
    assert.deepEqual(await ask('/v2/health/live'), [200, { live: true }]);
    assert.deepEqual(await ask('/v2/health/ready?verbose'), [200, { ready: true }]);
    condition = { reason: '', doubt: { membership: 'frozen', reason: 'NATS is away' } };
    const frozen = { ready: true, membership: 'frozen', reason: 'NATS is away' };
    assert.deepEqual(await ask('/v2/health/ready'), [200, frozen]);
    condition = { ...condition, reason: 'it is starting' };
    const error = 'the node is not ready: it is starting; its list of members is frozen: NATS is away';
    assert.deepEqual(await ask('/v2/health/ready'), [503, { error }]);
    assert.deepEqual(await ask('/v2/health/live'), [200, { live: true }]);
    assert.deepEqual(await ask('/v2/health/ready', 'HEAD'), [503, '']);
  });

  test('has nothing else, and takes nothing', async () => {
    assert.equal((await ask('/v2/models'))[0], 404);
    assert.equal((await ask('/v2/health/ready', 'POST'))[0], 405);
  });

  test('a port that is in use is told with its setting', async () => {
    const second = createHealthDoor(() => condition, { host: '127.0.0.1', port }, log);
    await assert.rejects(second.start(), /port \d+ on 127\.0\.0\.1 is in use .* --health-port/);
  });
});

test('the first thing that is missing makes a node unready', () => {
  const ready: Facts = {
    state: 'serving',
    isLeaving: false,
    serves: new Set<Role>(['scheduler', 'worker']),
    joining: '',
    isLinkedTo: (role) => role === 'router',
    router: '',
    workers: '',
  };
  assert.equal(whyUnready(ready), '');
  const steps: readonly [Partial<Facts>, RegExp][] = [
    [{ workers: 'its worker w.1: steady is being loaded' }, /steady is being loaded/],
    [{ isLinkedTo: () => false }, /linked to no router/],
    [{ joining: 'NATS does not answer' }, /NATS does not/],
    [{ state: 'drained' }, /drained by order/],
    [{ isLeaving: true }, /about to stop/],
    [{ state: 'starting' }, /it is starting/],
  ];
  let facts = ready;
  for (const [missing, sentence] of steps) {
    facts = { ...facts, ...missing };
    assert.match(whyUnready(facts), sentence);
  }
  const alone = { ...ready, serves: new Set<Role>(['router', 'scheduler']), isLinkedTo: () => false };
  assert.equal(whyUnready(alone), '', 'its router is in its own process');
  assert.equal(whyUnready({ ...alone, router: 'no worker has m ready' }), 'no worker has m ready');
});
