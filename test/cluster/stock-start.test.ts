// How a node begins: what it does with what the store and its disk have then, and for how long it is behind.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { chosenFor, manifestOf, place, Stage } from './stock-stage.js';

const one = manifestOf('one');
const two = manifestOf('two');
const three = manifestOf('three');

describe('at its start a node', () => {
  test('fetches nothing before all has been told, and its disk was read', () => {
    const stage = new Stage();
    stage.open([one]);
    stage.look();
    assert.deepEqual(stage.fetches(), []);
    assert.deepEqual(
      stage.take('readCache').map(({ manifests }) => manifests),
      [[one]],
    );
    stage.hear({ type: 'cache.read', complete: [] });
    assert.deepEqual(stage.fetches(), ['one']);
  });

  test('offers first what is on its disk, and has started when that is there', () => {
    const stage = Stage.begun([one, two, three, manifestOf('four')], [three]);
    assert.deepEqual(
      stage.take('fetch').map(({ turn, manifest }) => [turn, manifest.model]),
      [
        [1, 'three'],
        [2, 'one'],
      ],
    );
    assert.equal(stage.stock.hasStarted, false);
    stage.end(1);
    assert.equal(stage.stock.hasStarted, true);
    assert.deepEqual(stage.fetches(), ['two'], 'two at once, the others after them');
  });

  test('is behind until what the store had has come, or could not be had', () => {
    const stage = Stage.begun([one, two, three], [three]);
    assert.equal(stage.stock.behind(), 'the node still fetches one:1, two:1, three:1');
    for (const { turn, manifest } of stage.take('fetch'))
      stage.end(turn, manifest === one ? 'no' : undefined);
    assert.equal(stage.stock.behind(), 'the node still fetches two:1');
    stage.settle();
    assert.equal(stage.stock.behind(), '');
    stage.put(manifestOf('late'));
    assert.equal(stage.stock.behind(), '', 'what is pushed later holds up nobody');
  });

  test('is behind before the store has told what it has, and while its disk is read', () => {
    const stage = new Stage();
    const unknown = 'the node does not know yet which models its cluster shares';
    assert.equal(stage.stock.behind(), unknown);
    stage.hear({ type: 'store.opened' });
    stage.put(one);
    stage.look();
    assert.equal(stage.stock.behind(), unknown);
    stage.hear({ type: 'store.caughtUp' });
    assert.equal(stage.stock.behind(), unknown);
    stage.hear({ type: 'cache.read', complete: [] });
    stage.settle();
    assert.equal(stage.stock.behind(), '');
    const bare = Stage.begun([]);
    assert.deepEqual(
      [bare.stock.behind(), bare.stock.hasStarted],
      ['', true],
      'of nothing nothing is missing',
    );
  });

  test('stays behind with what a store that did not answer may have, and asks for it again soon', () => {
    const stage = Stage.begun([one], []);
    for (let tries = 0; tries < 8; tries++) {
      const [wanted] = stage.take('fetch');
      assert.ok(wanted, 'it is asked for again');
      stage.hear({ type: 'fetch.ended', turn: wanted.turn, reason: 'NATS is away', isUnreached: true });
      assert.equal(stage.stock.behind(), 'the node still fetches one:1 (NATS is away)');
      stage.pass(16_000);
    }
    const other = manifestOf('one', 0, 'c');
    stage.put(other);
    assert.equal(
      stage.stock.behind(),
      'the node still fetches one:1',
      'nor is it without what took its place',
    );
    stage.settle();
    assert.equal(stage.stock.behind(), '');
  });

  test('that does not see the others yet waits for what it is to have until it does', () => {
    const other = place('other');
    const [mine, theirs] = [chosenFor('own', other), chosenFor('other', other)];
    const stage = new Stage();
    stage.others = [other];
    stage.isLive = false;
    stage.open([mine, theirs]);
    stage.hear({ type: 'cache.read', complete: [] });
    stage.look();
    assert.match(stage.stock.behind(), /does not see yet which other nodes there are/);
    assert.deepEqual([stage.fetches(), stage.stock.hasStarted], [[], false]);
    stage.isLive = true;
    stage.look();
    assert.equal(stage.stock.behind(), `the node still fetches ${mine.model}:1`);
    stage.settle();
    assert.equal(stage.stock.behind(), '');
    const router = new Stage(true);
    router.isLive = false;
    router.open([mine]);
    router.hear({ type: 'cache.read', complete: [] });
    assert.equal(
      router.stock.behind(),
      `the node still fetches ${mine.model}:1`,
      'it is to have all there is',
    );
  });

  test('counts what is pushed while its disk is read, once, and waits for nothing that is removed meanwhile', () => {
    const stage = new Stage();
    stage.open([one]);
    stage.put(two);
    stage.remove(one);
    stage.hear({ type: 'store.opened' });
    stage.put(two);
    stage.hear({ type: 'store.caughtUp' });
    assert.equal(stage.take('readCache').length, 1, 'its disk is read once');
    stage.hear({ type: 'cache.read', complete: [one] });
    assert.deepEqual(stage.fetches(), ['two']);
    assert.equal(stage.stock.behind(), 'the node still fetches two:1');
    stage.remove(two);
    assert.equal(stage.stock.behind(), '');
    assert.equal(stage.stock.hasStarted, true);
  });
});
