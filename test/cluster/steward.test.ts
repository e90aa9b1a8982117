// The list of owners over its life: written once for all, followed by all, and never an older one again, whatever the store
// loses, keeps back or answers late.
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { readOwners, writeOwners } from '../../cluster/ownership.js';
import { compareEpochs, type Epoch, epochCountBelieved, epochCountBound } from '../../proto/ownership.js';
import { Council, patienceMs } from './council.js';

let council: Council;

beforeEach(() => {
  council = new Council();
});

const moved = (): string[] => council.notes.filter((note) => note.includes('owners.changed'));
const held = (): ReturnType<typeof readOwners> => readOwners(council.entry?.text ?? '');

describe('the list of owners', () => {
  test('is written by the first of the schedulers, and all follow it', () => {
    council.join('a', 'b');
    council.pass(500);
    assert.deepEqual(council.list('a'), council.list('b'));
    assert.deepEqual(council.list('b').epoch.slice(1), ['a']);
    assert.deepEqual(council.ownersOf('a').sort(), ['a', 'a', 'b', 'b']);
    const writes = council.revision;
    council.pass(20 * patienceMs);
    assert.equal(council.revision, writes, 'what fits is not written again');
  });

  test('gives a newcomer its share and takes it from who goes; only what moves has a new epoch', () => {
    council.join('a');
    council.pass(500);
    const first = council.list('a');
    council.join('b');
    council.pass(500);
    const second = council.list('a');
    assert.ok(compareEpochs(second.epoch, first.epoch) > 0);
    for (const [model, owner, since] of second.owners)
      assert.deepEqual(since, owner === 'a' ? first.epoch : second.epoch, model);
    council.go('b');
    council.pass(500);
    assert.deepEqual(new Set(council.ownersOf('a')), new Set(['a']));
  });

  test('who drains owns nothing any more, and writes last of all', () => {
    council.join('a', 'b');
    council.pass(500);
    council.turn('a', 'draining');
    council.pass(500);
    assert.deepEqual([...new Set(council.ownersOf('a')), council.list('a').epoch[1]], ['b', 'b']);
    council.turn('b', 'draining');
    council.pass(5 * patienceMs);
    assert.deepEqual([...new Set(council.ownersOf('a'))], ['b'], 'with nobody left to give to all stays');
  });

  test('who starts owns nothing yet', () => {
    council.join('a');
    council.pass(500);
    council.states.set('b', 'starting');
    council.changed();
    assert.deepEqual([...new Set(council.ownersOf('a'))], ['a']);
  });

  test('is written by the next when the first does not', () => {
    council.answers = (from, _, usual) => (from === 'a' ? undefined : usual());
    council.join('a', 'b');
    council.pass(patienceMs / 2);
    assert.equal(council.entry, undefined);
    council.pass(patienceMs);
    assert.equal(council.list('b').epoch[1], 'b');
    assert.deepEqual(council.list('a'), council.list('b'));
  });

  test('is not written while the view of the members stands still', () => {
    council.join('a', 'b');
    council.pass(500);
    council.standing = 'frozen';
    council.go('b');
    council.pass(5 * patienceMs);
    assert.ok(council.ownersOf('a').includes('b'));
  });

  test('is none where there is nothing to own', () => {
    council.models = [];
    council.join('a');
    council.pass(patienceMs);
    assert.equal(council.entry, undefined);
  });
});

describe('the store', () => {
  test('that rewinds is never followed back, and gets a higher list', () => {
    council.join('a', 'b');
    council.pass(500);
    const old = council.entry?.text as string;
    council.turn('b', 'draining');
    council.pass(500);
    const seen = council.list('b');
    council.told.length = 0;
    council.put(old, 1);
    assert.ok(council.told.every(({ list }) => compareEpochs(list.epoch, seen.epoch) > 0));
    council.pass(500);
    for (const id of ['a', 'b']) assert.ok(compareEpochs(council.list(id).epoch, seen.epoch) > 0);
    assert.deepEqual([...new Set(council.ownersOf('b'))], ['a']);
    assert.ok(council.notes.some((note) => note.includes('owners.rewound')));
  });

  test('that has lost everything gets the list again, higher than any member has seen', () => {
    council.join('a', 'b');
    council.pass(500);
    const before = council.list('a');
    council.lose();
    council.pass(500);
    const after = council.list('b');
    assert.ok(compareEpochs(after.epoch, before.epoch) > 0);
    assert.deepEqual(after.owners, before.owners, 'nobody loses what it has by that');
  });

  test('that tells something old to who has seen nothing is not believed: others report what they have seen', () => {
    const seen: Epoch = [7, 'z'];
    council.reported = seen;
    council.put(writeOwners({ epoch: [5, 'y'], owners: [['one:1', 'gone', [5, 'y']]] }));
    council.join('a');
    council.pass(500);
    const { epoch, owners } = council.list('a');
    assert.deepEqual(epoch, [8, 'a']);
    assert.deepEqual(
      owners.map(([, , since]) => since),
      owners.map(() => epoch),
    );
  });

  for (const [what, count] of [
    ['as high as can be', epochCountBound - 1],
    ['at the bound of what is believed', epochCountBelieved],
    ['just below it', epochCountBelieved - 1],
  ] as const) {
    test(`that somebody says had a list ${what} still gets lists that all follow`, () => {
      council.join('a', 'b');
      council.pass(500);
      council.reported = [count, 'z'];
      for (const state of ['draining', 'serving'] as const) {
        council.turn('b', state);
        council.pass(3 * patienceMs);
        assert.deepEqual(council.list('a'), held(), state);
        assert.deepEqual(council.list('b'), held(), state);
        assert.equal(council.ownersOf('a').includes('b'), state === 'serving');
      }
      assert.deepEqual(
        council.notes.filter((note) => note.includes('owners.refused')),
        [],
      );
    });
  }

  test('is not doubted on the word of a worker', () => {
    council.reporter = 'w.worker.1';
    council.join('a', 'b');
    council.pass(500);
    const before = council.list('a');
    council.reported = [before.epoch[0] + 1000, 'z'];
    council.pass(3 * patienceMs);
    council.isRouterBlind = true;
    council.pass(3 * patienceMs);
    assert.deepEqual(council.list('a'), before);
    assert.deepEqual(council.reopened, []);
  });

  test('that says what nobody understands is written anew', () => {
    council.put('{"epoch":[1,"a"],"owners":{"one:1":"a"}}');
    council.join('a');
    council.pass(500);
    assert.ok(council.notes.includes('a: owners.refused the list of owners says no good owner of one:1'));
    assert.notEqual(typeof held(), 'string');
  });

  test('that lost what it acknowledged has it again', () => {
    council.answers = () => ({ type: 'write.done', revision: 1 });
    council.join('a', 'b');
    const lost = council.list('a').epoch;
    council.answers = undefined;
    council.lose();
    council.pass(500);
    assert.deepEqual(council.list('a'), held());
    assert.ok(compareEpochs(council.list('b').epoch, lost) > 0);
  });

  test('that took what seemed to fail: no epoch is made twice', () => {
    const written: string[] = [];
    council.answers = (_, { text }) => {
      written.push(text);
      return { type: 'write.failed', reason: 'it does not answer in time' };
    };
    council.join('a');
    council.pass(500);
    council.answers = undefined;
    council.put(written[0] as string);
    council.pass(500);
    const epochs = written.map((text) => (readOwners(text) as { epoch: Epoch }).epoch.join());
    assert.equal(new Set(epochs).size, written.length);
    assert.ok(written.length > 1);
    assert.equal(council.notes.filter((note) => note.includes('owners.unwritten')).length, 1, 'said once');
    assert.equal(council.seats.get('a')?.steward.clashes, 0);
  });

  test('that was lost without a word is looked for and written again when somebody has not seen it', () => {
    council.join('a', 'b');
    council.pass(500);
    const before = council.list('a').epoch;
    council.entry = undefined;
    council.pass(3 * patienceMs);
    assert.deepEqual(council.reopened, [], 'nobody can know of it yet');
    council.isRouterBlind = true;
    council.pass(2 * patienceMs);
    assert.deepEqual(new Set(council.reopened), new Set(['a']), 'one is enough to look');
    council.isRouterBlind = false;
    council.revision = 0;
    council.open('a');
    council.pass(500);
    assert.ok(compareEpochs((held() as { epoch: Epoch }).epoch, before) > 0);
    assert.deepEqual(council.list('b'), council.list('a'));
  });

  test('that somebody has cleared gets the list again', () => {
    council.join('a');
    council.pass(500);
    const before = council.list('a').epoch;
    council.entry = undefined;
    council.tell('a', { type: 'entry.removed', key: 'owners' });
    council.pass(500);
    assert.ok(compareEpochs(council.list('a').epoch, before) > 0);
    assert.deepEqual(council.list('a'), held());
  });
});

describe('two at once', () => {
  test('of two who write from the same past one is refused and follows the other', () => {
    council.join('a', 'b');
    council.pass(500);
    const { seats } = council;
    (seats.get('a') as { isDeaf: boolean }).isDeaf = true;
    const refused: string[] = [];
    council.answers = (from, _, usual) => {
      const answer = usual();
      if (answer.type === 'write.refused') refused.push(from);
      return answer;
    };
    council.states.set('c', 'serving');
    council.tell('b', { type: 'members.changed' });
    for (let passed = 0; passed < 2 * patienceMs; passed += 50) {
      council.now += 50;
      council.tell('b', { type: 'tick' });
    }
    assert.equal(council.list('b').epoch[1], 'b');
    council.models = [...council.models, 'five:1'];
    council.tell('a', { type: 'tick' });
    assert.deepEqual(refused, ['a']);
    council.pass(patienceMs / 2);
    assert.deepEqual(refused, ['a'], 'it does not try again before it knows who was first');
    council.pass(patienceMs);
    assert.deepEqual(council.reopened, ['a']);
    (seats.get('a') as { isDeaf: boolean }).isDeaf = false;
    council.open('a');
    council.pass(500);
    assert.deepEqual(council.list('a'), council.list('b'));
    assert.equal(moved().length > 0, true);
  });

  test('two lists of one epoch are counted and told of, and overcome by a higher one', () => {
    council.join('a');
    council.pass(500);
    const { epoch, owners } = council.list('a');
    council.told.length = 0;
    council.put(writeOwners({ epoch, owners: owners.map(([model, , since]) => [model, 'x', since]) }));
    assert.equal(council.seats.get('a')?.steward.clashes, 1);
    assert.deepEqual(council.told[0]?.list.epoch, epoch);
    assert.ok(council.notes.some((note) => note.includes('owners.clashed')));
    council.pass(500);
    assert.ok(compareEpochs(council.list('a').epoch, epoch) > 0);
    assert.deepEqual([...new Set(council.ownersOf('a'))], ['a']);
  });
});

test('the entry is read as it was written, and refused with a reason where it is none', () => {
  const list = { epoch: [3, 'a.1'], owners: [['m:1', 'b.2', [2, 'c.3']]] } as const;
  assert.equal(writeOwners(list), '{"epoch":[3,"a.1"],"owners":{"m:1":["b.2",[2,"c.3"]]}}');
  assert.deepEqual(readOwners(writeOwners(list)), list);
  for (const [text, reason] of [
    ['{', 'is not JSON'],
    ['[]', 'no good epoch'],
    ['{"epoch":[1.5,"a"],"owners":{}}', 'no good epoch'],
    ['{"epoch":[1,"a"]}', 'names none'],
    ['{"epoch":[1,"a"],"owners":[]}', 'names none'],
    ['{"epoch":[1,"a"],"owners":{"m:1":["",[1,"a"]]}}', 'no good owner of m:1'],
  ] as const) {
    assert.match(String(readOwners(text)), new RegExp(reason));
  }
});
