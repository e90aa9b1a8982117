// What a node makes of a store that tells all of its models again, or has lost some of them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { holds, manifestOf, place, Stage } from './stock-stage.js';

const one = manifestOf('one');
const two = manifestOf('two');

describe('a store that has lost what it had', () => {
  test('takes nothing away, and is told of each time', () => {
    const stage = Stage.begun([one, two]);
    stage.settle();
    for (let times = 0; times < 2; times++) {
      stage.open([two]);
      assert.deepEqual(
        stage.take('forgotten').map(({ keys }) => keys),
        [['one.1']],
      );
      assert.deepEqual(stage.states(), ['one ready', 'two ready']);
    }
    assert.equal(stage.stock.isSpare(one), false);
    stage.open([one, two]);
    assert.deepEqual(stage.take('forgotten'), []);
  });

  test('names what is served and not in it, also to who began after that, until it is pushed again or removed', () => {
    const stage = Stage.begun([one, two]);
    stage.settle();
    assert.deepEqual(stage.stock.lost(), []);
    stage.open([two]);
    assert.deepEqual(stage.stock.lost(), ['one:1']);
    const late = Stage.begun([two], [], true);
    late.others = [place('other', { holdings: [holds(one, 'ready'), holds(two, 'ready')] })];
    assert.deepEqual(late.stock.lost(), ['one:1']);
    late.hear({ type: 'store.opened' });
    assert.deepEqual(late.stock.lost(), [], 'all is being told');
    late.hear({ type: 'store.caughtUp' });
    assert.deepEqual(late.stock.lost(), ['one:1', 'two:1']);
    late.put(one);
    late.remove(two);
    assert.deepEqual(late.stock.lost(), []);
  });

  test('that tells what this node can not read has not lost it', () => {
    const stage = Stage.begun([one]);
    stage.hear({ type: 'store.opened' });
    stage.hear({ type: 'manifest.unreadable', key: 'one.1' });
    stage.hear({ type: 'store.caughtUp' });
    assert.deepEqual(stage.take('forgotten'), []);
  });

  test('or tells all of it again, is looked at once, and of what is pushed later only that', () => {
    let looks = 0;
    const other = {
      ...place('other'),
      get labels() {
        looks++;
        return [];
      },
    };
    const looksOf = (run: () => void): number => {
      const before = looks;
      run();
      return looks - before;
    };
    const models = Array.from({ length: 20 }, (_, at) => manifestOf(`m${at}`, 0, 'a', ['big']));
    const stage = Stage.begun(models);
    stage.others = [other];
    const once = looksOf(() => stage.look());
    assert.ok(once >= models.length, `${once}`);
    assert.equal(
      looksOf(() => stage.open(models)),
      once,
    );
    assert.equal(
      looksOf(() => stage.put(models[3] ?? one)),
      once / models.length,
    );
  });
});
