// Who was turned away is listed for some minutes, and what is to be done never has somebody paste the key of whoever called.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makePair } from '../../runtime/keys/pair.js';
import { KeyRing } from '../../runtime/keys/ring.js';
import { strangersOf } from '../../runtime/node/sight.js';

test('who called once is forgotten after some minutes, who goes on calling is not', () => {
  let nowMs = 0;
  const told: string[] = [];
  const ring = new KeyRing(
    ({ at }) => told.push(at),
    () => nowMs,
  );
  const reason = 'its key is not listed here';
  const key = makePair().publicKey;
  ring.turnedAway({ at: '203.0.113.9', key, reason });
  ring.turnedAway({ at: '203.0.113.10', key, reason });
  for (; nowMs < 600_000; nowMs += 60_000) ring.turnedAway({ at: '203.0.113.10', key, reason });
  nowMs += 1;
  assert.deepEqual(told, ['203.0.113.9', '203.0.113.10']);
  assert.deepEqual(
    ring.barred().map(({ at }) => at),
    ['203.0.113.10'],
  );
  nowMs += 600_000;
  assert.deepEqual(strangersOf([], 'front.aa', ring), []);
});

test('a key that a stranger showed is in no command', () => {
  const ring = new KeyRing();
  const key = makePair().publicKey;
  ring.turnedAway({ at: '203.0.113.9', key, reason: 'its key is not listed here' });
  const [stranger] = strangersOf([], 'front.aa', ring);
  assert.equal(stranger?.key, key);
  assert.equal(stranger.mend, 'if it is a node of yours, list the key that `keys show` prints there');
});
