// Who was turned away is listed for some minutes, and what is to be done never has somebody paste the key of whoever called.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makePair } from '../../runtime/keys/pair.js';
import { KeyRing, type RefusalKind } from '../../runtime/keys/ring.js';
import { type Eyes, seenOf, strangersOf } from '../../runtime/node/sight.js';
import { Routes } from '../../runtime/post/routing.js';

const kind = 'unlistedHere';

test('who called once is forgotten after some minutes, who goes on calling is not', () => {
  let nowMs = 0;
  const told: string[] = [];
  const ring = new KeyRing(
    ({ at }) => told.push(at),
    () => nowMs,
  );
  const reason = 'its key is not listed here';
  const key = makePair().publicKey;
  ring.turnedAway({ at: '203.0.113.9', key, kind, reason });
  ring.turnedAway({ at: '203.0.113.10', key, kind, reason });
  for (; nowMs < 600_000; nowMs += 60_000) ring.turnedAway({ at: '203.0.113.10', key, kind, reason });
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
  ring.turnedAway({ at: '203.0.113.9', key, kind, reason: 'its key is not listed here' });
  const [stranger] = strangersOf([], 'front.aa', ring);
  assert.equal(stranger?.key, key);
  assert.equal(stranger.mend, 'if it is a node of yours, list the key that `keys show` prints there');
});

test('what mends it goes by its kind, whatever the sentence says', () => {
  const ring = new KeyRing();
  const own = makePair();
  ring.take({ pair: own, trusted: [] });
  const mendOf = (refusal: RefusalKind): string | undefined => {
    ring.take({ pair: own, trusted: [] });
    ring.turnedAway({ at: '203.0.113.9', kind: refusal, reason: 'it has no keys' });
    return strangersOf([], 'front.aa', ring)[0]?.mend;
  };
  assert.match(String(mendOf('unlistedHere')), /^if it is a node of yours, list the key/);
  assert.equal(
    mendOf('unlistedThere'),
    `on the other node: node runtime keys trust ${own.publicKey} --name front`,
  );
  assert.match(String(mendOf('keylessHere')), /^on front\.aa: node runtime keys new/);
  assert.match(String(mendOf('keylessThere')), /^on the other node: node runtime keys new/);
  assert.equal(mendOf('other'), '');
});

test('a node that was struck off the list while it is a member is told as that, with the command that mends it', () => {
  const ring = new KeyRing();
  const other = makePair().publicKey;
  ring.take({ pair: makePair(), trusted: [] });
  assert.equal(new Routes(ring).memberAt(`box.worker.bb|${other}|proof`), undefined);
  const member = { id: 'box.worker.bb', roles: ['host' as const], endpoint: '', host: '' };
  const eyes = { warden: { doubtOf: () => undefined }, keys: ring } as unknown as Eyes;
  assert.equal(
    seenOf(member, false, 'front.aa', eyes).barred?.mend,
    'on front.aa: node runtime keys trust ITS_PUBLIC_KEY --name box',
  );
  assert.deepEqual(strangersOf([member], 'front.aa', ring), []);
});
