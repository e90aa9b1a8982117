// Who is who by which key: at most so many are remembered, and of those who have a link none is forgotten for others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../proto/limits.js';
import { makePair } from '../../runtime/keys/pair.js';
import { KeyRing } from '../../runtime/keys/ring.js';
import { Credentials } from '../../runtime/post/credentials.js';

const [own, other] = [makePair().publicKey, makePair().publicKey];
const to = (key: string, port: number): string => `tcp://${key}@127.0.0.1:${port}`;

function credentials(): Credentials {
  const ring = new KeyRing();
  ring.take({ pair: makePair(), trusted: [own, other] });
  return new Credentials('self.1', ring);
}

test('whoever has a link keeps its id, however many ids another key announces', () => {
  const known = credentials();
  assert.equal(known.amiss(to(own, 1), 'linked.1'), undefined);
  known.meet(to(own, 1), 'linked.1');
  for (let count = 0; count < 2 * limits.membersMax; count++) {
    assert.equal(known.amiss(to(other, 2), `many-${count}.1`), undefined);
  }
  assert.match(
    String(known.amiss(to(other, 2), 'linked.1')),
    /linked.1 has announced itself with another key before/,
  );
  known.forget(to(own, 1));
  for (let count = 0; count < limits.membersMax; count++) known.amiss(to(other, 2), `more-${count}.1`);
  assert.equal(known.amiss(to(other, 2), 'linked.1'), undefined, 'who has none is forgotten in its turn');
});

test('of those who have links there are no more than a cluster may have', () => {
  const known = credentials();
  for (let count = 0; count < limits.membersMax; count++) {
    assert.equal(known.amiss(to(own, count), `many-${count}.1`), undefined);
    known.meet(to(own, count), `many-${count}.1`);
  }
  assert.match(String(known.amiss(to(other, 5000), 'late.1')), /links to 4096 members already/);
  assert.equal(known.amiss(to(own, 7), 'many-7.1'), undefined, 'those who are there may say so again');
  known.forget(to(own, 7));
  assert.equal(known.amiss(to(other, 5000), 'late.1'), undefined);
});
