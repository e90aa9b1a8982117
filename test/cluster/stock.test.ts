// What a node fetches, keeps, lets go and waits for: each rule of its stock by itself, in a time that the test tells.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { chosenFor, holds, manifestOf, place, Stage } from './stock-stage.js';

const one = manifestOf('one');
const two = manifestOf('two');
const three = manifestOf('three');

describe('what is fetched', () => {
  test('goes to nodes that are to have it, and to those with a router, whose workers are told to leave it', () => {
    const other = place('other');
    const manifest = chosenFor('other', other);
    for (const routes of [true, false]) {
      const stage = Stage.begun([], [], routes);
      stage.others = [other];
      stage.put(manifest);
      assert.deepEqual(stage.fetches(), routes ? [manifest.model] : []);
      assert.ok(stage.stock.isElsewhere(manifest.model, `1+${manifest.digest.slice(0, 10)}`));
    }
  });

  test('is loading, then ready or failed, as its workers are with it', () => {
    const stage = Stage.begun();
    stage.put(one);
    assert.deepEqual(stage.states(), ['one fetching']);
    stage.faring = { state: 'loading', reason: '' };
    stage.settle();
    assert.deepEqual(stage.states(), ['one loading']);
    stage.faring = { state: 'ready', reason: '' };
    stage.look();
    assert.deepEqual(stage.states(), ['one ready']);
    stage.faring = { state: 'failed', reason: 'x'.repeat(900) };
    stage.look();
    assert.deepEqual(
      stage.stock.holdings().map(({ state, reason }) => [state, reason.length]),
      [['failed', 500]],
    );
    stage.faring = { state: 'ready', reason: '' };
    stage.look();
    assert.deepEqual(stage.states(), ['one ready'], 'a worker that can do it after all has it');
  });

  test('is tried again when it did not come, ever more rarely', () => {
    const stage = Stage.begun();
    stage.put(one);
    const waits: number[] = [];
    for (let tries = 0; tries < 10; tries++) {
      stage.settle('the line is cut');
      const [{ againMs } = { againMs: 0 }] = stage.take('putOff');
      waits.push(againMs / 1000);
      stage.pass(againMs - 1);
      assert.deepEqual([stage.states(), stage.take('fetch')], [['one failed'], []]);
      stage.pass(1);
      assert.deepEqual(stage.states(), ['one fetching']);
    }
    assert.deepEqual(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });

  test('is no more than two at a time, those that were given up among them until they have ended', () => {
    const stage = Stage.begun();
    for (const manifest of [one, two, three]) stage.put(manifest);
    assert.deepEqual(stage.fetches(), ['one', 'two']);
    stage.remove(one);
    assert.deepEqual(
      stage.take('giveUp').map(({ turn }) => turn),
      [1],
    );
    assert.deepEqual(stage.fetches(), []);
    stage.end(1, 'given up');
    assert.deepEqual(stage.fetches(), ['three']);
    assert.deepEqual(stage.take('letGo').length, 1);
    stage.put(one);
    stage.remove(one);
    assert.deepEqual(stage.take('letGo'), [], 'it had not begun');
    assert.deepEqual(stage.take('putOff'), [], 'nobody hears what came of it');
  });
});

describe('what is placed', () => {
  test('moves when a holder goes, and is kept until whoever is to have it has it ready', () => {
    const other = place('other');
    const manifest = chosenFor('other', other);
    const stage = Stage.begun();
    stage.others = [other];
    stage.put(manifest);
    assert.deepEqual(stage.fetches(), []);
    stage.others = [];
    stage.look();
    stage.settle();
    assert.deepEqual(stage.states(), [`${manifest.model} ready`]);
    assert.equal(stage.take('announce').length, 0, 'it was placed before it came');
    for (const state of ['fetching', 'loading', 'failed'] as const) {
      stage.others = [{ ...other, holdings: [holds(manifest, state)] }];
      stage.look();
      assert.deepEqual(stage.states(), [`${manifest.model} ready`], `the other is ${state}`);
    }
    stage.others = [{ ...other, holdings: [holds(manifest, 'ready')] }];
    stage.look();
    assert.deepEqual([stage.states(), stage.take('letGo').length], [[], 1]);
    stage.others = [];
    stage.look();
    assert.deepEqual(stage.fetches(), [manifest.model], 'and it is taken back');
  });

  test('stays where it is while the view of the others stands still', () => {
    const other = place('other');
    const manifest = chosenFor('other', other);
    const stage = Stage.begun();
    stage.others = [other];
    stage.put(manifest);
    stage.isLive = false;
    stage.others = [];
    stage.look();
    assert.deepEqual(stage.fetches(), []);
    stage.isLive = true;
    stage.look();
    stage.settle();
    stage.isLive = false;
    stage.others = [{ ...other, holdings: [holds(manifest, 'ready')] }];
    stage.look();
    assert.deepEqual(stage.states(), [`${manifest.model} ready`]);
    assert.deepEqual(stage.take('letGo'), []);
    stage.others = [other];
    assert.equal(stage.stock.uncovered, 0, 'who is not seen is not waited for');
  });

  test('a router keeps its files, and its workers are told when it is not theirs any more', () => {
    const other = place('other');
    const manifest = chosenFor('other', other);
    const edition = `1+${manifest.digest.slice(0, 10)}`;
    const stage = Stage.begun([manifest], [manifest], true);
    stage.settle();
    assert.equal(stage.stock.isElsewhere(manifest.model, edition), false);
    stage.others = [{ ...other, holdings: [holds(manifest, 'ready')] }];
    stage.look();
    assert.deepEqual([stage.take('announce').length, stage.take('letGo').length], [1, 0]);
    assert.equal(stage.stock.isElsewhere(manifest.model, edition), true);
    assert.deepEqual(stage.states(), []);
  });

  test('whoever could not have it says so for a while, so that the others go on passing it by', () => {
    const manifest = chosenFor('own', place('other'));
    const stage = Stage.begun();
    stage.others = [place('other')];
    stage.put(manifest);
    stage.settle('the disk is full');
    stage.look();
    assert.deepEqual([stage.states(), stage.take('letGo')], [[`${manifest.model} failed`], []]);
    stage.others = [place('other', { holdings: [holds(manifest, 'ready')] })];
    stage.pass(1999);
    assert.deepEqual(stage.states(), [`${manifest.model} failed`]);
    stage.pass(1);
    stage.look();
    assert.deepEqual(stage.fetches(), [manifest.model], 'then it is its turn again');
  });

  test('what workers said of it stays for a while when it is not theirs any more', () => {
    const other = place('other');
    const manifest = chosenFor('own', other);
    const stage = Stage.begun([manifest], [manifest], true);
    stage.faring = { state: 'failed', reason: 'no memory' };
    stage.settle();
    stage.others = [other];
    stage.faring = { state: 'loading', reason: '' };
    stage.look();
    assert.deepEqual(stage.states(), [`${manifest.model} failed`]);
    stage.pass(299_999);
    assert.deepEqual(stage.states(), [`${manifest.model} failed`]);
    stage.pass(1);
    stage.look();
    assert.deepEqual(stage.states(), [`${manifest.model} loading`], 'then it is its turn again');
  });

  test('a node that goes is waited for until those who are to have it have it, or could not', () => {
    const other = place('other');
    const manifest = chosenFor('own', other);
    const stage = Stage.begun([manifest]);
    stage.others = [other];
    stage.settle();
    assert.equal(stage.stock.uncovered, 1);
    for (const [state, uncovered] of [
      ['fetching', 1],
      ['loading', 1],
      ['ready', 0],
      ['failed', 0],
    ] as const) {
      stage.others = [{ ...other, holdings: [holds(manifest, state)] }];
      assert.equal(stage.stock.uncovered, uncovered, state);
    }
  });
});

describe('what is taken out or replaced', () => {
  test('is let go at once, also where nobody else has it, and its files are thrown away', () => {
    const stage = Stage.begun([one]);
    stage.settle();
    stage.remove(one);
    assert.deepEqual([stage.states(), stage.take('letGo').length], [[], 1]);
    assert.deepEqual(
      stage.take('discard').map(({ manifest }) => manifest),
      [one],
    );
    assert.equal(stage.stock.isSpare(one), true);
    assert.equal(stage.stock.isSpare(two), false, 'what the store says nothing of stays');
    stage.put(one);
    assert.equal(stage.stock.isSpare(one), false, 'it is wanted again before that was done');
  });

  test('serves until what takes its place is there', () => {
    const stage = Stage.begun([one]);
    stage.settle();
    const other = manifestOf('one', 0, 'c');
    stage.put(other);
    assert.deepEqual([stage.fetches(), stage.take('letGo')], [['one'], []]);
    stage.end(2, 'the line is cut');
    stage.pass(2000);
    assert.deepEqual([stage.fetches(), stage.take('discard')], [['one'], []], 'it did not come at first');
    assert.deepEqual([stage.stock.isSpare(one), stage.stock.isSpare(other)], [false, false]);
    stage.end(3);
    assert.deepEqual(
      stage.take('discard').map(({ manifest }) => manifest),
      [one],
    );
    assert.deepEqual([stage.stock.isSpare(one), stage.stock.isSpare(other)], [true, false]);
    const far = manifestOf('far', 0, 'a', ['big']);
    const edition = `1+${far.digest.slice(0, 10)}`;
    stage.put(far);
    assert.ok(stage.stock.isElsewhere('far', edition));
    stage.remove(far);
    assert.ok(!stage.stock.isElsewhere('far', edition));
  });

  test('keeps its files while what takes its place is loaded, can not be, or while anybody may still get it', () => {
    const stage = Stage.begun([one], [one], true);
    stage.settle();
    const other = manifestOf('one', 0, 'c');
    stage.served.add(one);
    for (const state of ['loading', 'failed', 'ready'] as const) {
      stage.faring = { state, reason: 'no memory' };
      if (state === 'loading') stage.put(other);
      stage.settle();
      stage.look();
      assert.deepEqual([stage.take('discard'), stage.stock.isSpare(one)], [[], false], state);
    }
    stage.served.clear();
    stage.look();
    assert.deepEqual(
      stage.take('discard').map(({ manifest }) => manifest),
      [one],
    );
    assert.equal(stage.stock.isSpare(one), true);
  });

  test('keeps all that was served before where one content after the other can not be loaded', () => {
    const stage = Stage.begun([one]);
    stage.settle();
    stage.faring = { state: 'failed', reason: 'no memory' };
    const [second, third] = [manifestOf('one', 0, 'c'), manifestOf('one', 0, 'd')];
    for (const manifest of [second, third]) {
      stage.put(manifest);
      stage.settle();
    }
    assert.deepEqual([stage.take('discard'), stage.stock.isSpare(one)], [[], false]);
    stage.put(one);
    stage.faring = { state: 'ready', reason: '' };
    stage.settle();
    assert.deepEqual(
      stage.take('discard').map(({ manifest }) => manifest),
      [second, third],
      'what is back is offered as it was',
    );
    assert.equal(stage.stock.isSpare(one), false);
  });

  test('keeps its files where its workers are not to have it, as long as anybody may get it', () => {
    const elsewhere = place('other', { labels: ['big'] });
    const before = manifestOf('one', 0, 'a', ['big']);
    const stage = Stage.begun([before], [before], true);
    stage.others = [elsewhere];
    stage.settle();
    stage.served.add(before);
    stage.faring = { state: 'loading', reason: '' };
    stage.put(manifestOf('one', 0, 'c', ['big']));
    stage.settle();
    stage.look();
    assert.deepEqual(stage.take('discard'), []);
    const edition = `1+${before.digest.slice(0, 10)}`;
    assert.equal(stage.stock.isElsewhere('one', edition), true);
    stage.served.clear();
    stage.look();
    assert.equal(stage.take('discard').length, 1);
    assert.equal(stage.stock.isElsewhere('one', edition), false, 'nobody needs to know that any more');
  });

  test('keeps its files through changes that never come, and loses them with the model', () => {
    const stage = Stage.begun([one]);
    stage.settle();
    const [second, third] = [manifestOf('one', 0, 'c'), manifestOf('one', 0, 'd')];
    const discarded = () => stage.take('discard').map(({ manifest }) => manifest);
    stage.put(second);
    stage.put(third);
    assert.deepEqual(discarded(), [second], 'nobody ever had it');
    stage.put(one);
    stage.put(third);
    assert.deepEqual(
      [discarded(), stage.stock.isSpare(one)],
      [[third], false],
      'it was offered all the time',
    );
    stage.take('letGo');
    stage.remove(one);
    assert.deepEqual(discarded(), [one, third]);
    assert.ok(stage.take('letGo').some(({ manifest }) => manifest === one));
  });

  test('serves where its place is not any more until others have what takes its place', () => {
    const other = place('other', { labels: ['big'] });
    const stage = Stage.begun([one]);
    stage.settle();
    stage.others = [other];
    const moved = manifestOf('one', 1, 'c', ['big']);
    stage.put(moved);
    stage.look();
    assert.deepEqual([stage.fetches(), stage.take('discard'), stage.take('letGo')], [[], [], []]);
    stage.others = [{ ...other, holdings: [holds(moved, 'ready')] }];
    stage.look();
    for (const effect of ['letGo', 'discard'] as const)
      assert.deepEqual(
        stage.take(effect).map(({ manifest }) => manifest),
        [one],
      );
  });

  test('while it is fetched, what comes of that is not heard any more', () => {
    const stage = Stage.begun([], [], true);
    stage.put(one);
    const [first] = stage.take('fetch');
    const other = manifestOf('one', 0, 'c');
    stage.put(other);
    const [second] = stage.take('fetch');
    assert.deepEqual(
      stage.take('giveUp').map(({ turn }) => turn),
      [first?.turn],
    );
    stage.end(first?.turn ?? 0, 'given up');
    assert.deepEqual(stage.states(), ['one fetching']);
    stage.end(second?.turn ?? 0);
    assert.deepEqual(stage.states(), ['one ready']);
  });

  test('what is pushed anew with another spread is what it was', () => {
    const stage = Stage.begun([one]);
    stage.settle();
    stage.put({ ...one, spread: { replicas: 0, needs: ['big'] } });
    assert.deepEqual(stage.take('fetch'), []);
    assert.deepEqual(stage.states(), ['one ready'], 'nobody is to have it: whoever has it keeps it');
    assert.match(stage.stock.whyNowhere('one', '1'), /wanted is a worker with big/);
    stage.put(manifestOf('two', 0, 'a', ['big']));
    assert.deepEqual(stage.take('fetch'), []);
    stage.put(two);
    assert.deepEqual(stage.fetches(), ['two']);
  });
});
