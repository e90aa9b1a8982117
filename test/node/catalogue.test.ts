// What a node serves while its repository changes: who answers, what is loaded beside it, and what a failure leaves as it was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelCondition } from '../../actors/router/coverage.js';
import { defaultModelConfig } from '../../runtime/models/config.js';
import { editionOf, type ModelEntry } from '../../runtime/models/entry.js';
import { Catalogue } from '../../runtime/node/catalogue.js';

function entry(version: string, stamp = `s${version}`, changes: Partial<ModelEntry> = {}): ModelEntry {
  const tensors = {
    inputs: [],
    outputs: [],
    maxBatch: 0,
    file: 'f',
    sizeBytes: 1,
    nodeCount: 0,
    folder: '',
    module: '',
  };
  const known = { name: 'm', version, stamp, config: defaultModelConfig };
  return { ...known, state: 'available', reason: '', ...tensors, ...changes };
}

const corrupt = { state: 'unavailable', reason: 'it is cut' } as const;

/** What schedulers report, by edition. */
class Stage {
  readonly catalogue: Catalogue;
  readonly ready = new Set<string>();
  readonly failed = new Set<string>();
  loading = 0;

  constructor(...models: ModelEntry[]) {
    this.catalogue = new Catalogue(models);
    for (const model of models) this.ready.add(editionOf(model));
  }

  take(...found: ModelEntry[]): this {
    this.catalogue.take('m', found);
    return this;
  }

  review(isPatient = true): boolean {
    return this.catalogue.review(
      (_, edition) => this.conditionOf(edition),
      () => isPatient,
    );
  }

  /** What answers who names no version, and what workers are to have. */
  told(): [string | undefined, string[]] {
    const newest = this.catalogue.find('m', '');
    return [newest && editionOf(newest), this.catalogue.wanted().map(editionOf)];
  }

  private conditionOf(edition: string): ModelCondition {
    const ready = this.ready.has(edition) ? 1 : 0;
    const failed = this.failed.has(edition) ? 1 : 0;
    const loading = ready + failed === 0 ? 2 : this.loading;
    return {
      ready,
      loading,
      failed,
      resting: 0,
      reason: failed > 0 ? 'no such operator' : '',
      policy: 'auto',
      why: '',
      runsOn: [],
    };
  }
}

test('a new version is loaded beside the old, and answers for all once every worker has it', () => {
  const stage = new Stage(entry('1')).take(entry('1'), entry('2'));
  assert.equal(stage.review(), false);
  assert.deepEqual(stage.told(), ['1', ['1', '2']]);
  assert.deepEqual([stage.catalogue.isFirst('m', '1'), stage.catalogue.isFirst('m', '2')], [false, true]);
  assert.deepEqual(stage.catalogue.listed().map(editionOf), ['1'], 'readiness does not wait for it');
  stage.ready.add('2');
  stage.loading = 1;
  assert.equal(stage.review(), false, 'one worker has it yet to load');
  stage.loading = 0;
  assert.equal(stage.review(), true);
  assert.deepEqual(stage.told(), ['2', ['1', '2']]);
});

test('a worker that takes very long is not waited for', () => {
  const stage = new Stage(entry('1')).take(entry('1'), entry('2'));
  stage.ready.add('2');
  stage.loading = 1;
  assert.equal(stage.review(false), true);
  assert.equal(stage.told()[0], '2');
});

test('changed files of a version are another edition of it; the old one goes when that has taken over', () => {
  const stage = new Stage(entry('1')).take(entry('1', 'other'));
  assert.deepEqual(stage.told(), ['1', ['1', '1+other']]);
  assert.equal(editionOf(stage.catalogue.find('m', '1') as ModelEntry), '1');
  stage.ready.add('1+other');
  stage.review();
  assert.deepEqual(stage.told(), ['1+other', ['1+other']]);
  assert.equal(stage.catalogue.find('m', '')?.version, '1');
  stage.take(entry('1', 'other'));
  assert.deepEqual(stage.told(), ['1+other', ['1+other']], 'what did not change is left alone');
});

test('corrupt files, and files that no worker can load, leave the old serving and say why', () => {
  const stage = new Stage(entry('1')).take(entry('1', 'cut', corrupt));
  assert.deepEqual(stage.told(), ['1', ['1']]);
  assert.equal(stage.catalogue.amissWith('m', '1'), 'it is cut');
  stage.take(entry('1', 'bad'));
  stage.failed.add('1+bad');
  assert.equal(stage.review(), true);
  assert.deepEqual(stage.told(), ['1', ['1']]);
  assert.equal(stage.catalogue.amissWith('m', '1'), 'no such operator');
  stage.take(entry('1'));
  assert.equal(stage.catalogue.amissWith('m', '1'), '', 'put back as they were');
});

test('a new version that can not be loaded is listed with the reason', () => {
  const stage = new Stage(entry('1')).take(entry('1'), entry('2'));
  stage.failed.add('2');
  stage.review();
  const second = stage.catalogue.find('m', '2');
  assert.deepEqual([second?.state, second?.reason], ['unavailable', 'no such operator']);
  assert.equal(stage.told()[0], '1');
});

test('what a change leaves out goes when what came with it has taken over, and stays when that fails', () => {
  const left = { state: 'unchosen', reason: 'not served' } as const;
  const good = new Stage(entry('1')).take(entry('1', 's1', left), entry('2'));
  assert.deepEqual(good.told(), ['1', ['1', '2']]);
  good.ready.add('2');
  good.review();
  assert.deepEqual(good.told(), ['2', ['2']]);
  assert.equal(good.catalogue.find('m', '1')?.state, 'unchosen');
  const bad = new Stage(entry('1')).take(entry('1', 's1', left), entry('2'));
  bad.failed.add('2');
  bad.review();
  assert.deepEqual(bad.told(), ['1', ['1']]);
});

test('a version whose folder is gone goes, and with the last the model', () => {
  const stage = new Stage(entry('1'), entry('2')).take(entry('1'));
  assert.deepEqual(stage.told(), ['1', ['1']]);
  assert.equal(stage.catalogue.find('m', '2'), undefined);
  stage.take();
  assert.deepEqual(stage.told(), [undefined, []]);
});

test('one whose files are amiss and that no worker has in memory can not be served as it was', () => {
  const stage = new Stage(entry('1')).take(entry('1', 'cut', corrupt));
  stage.catalogue.giveUp('m', () => false);
  assert.deepEqual(stage.told(), ['1', ['1']]);
  stage.catalogue.giveUp('m', () => true);
  assert.deepEqual(stage.told(), ['1', []]);
  const gone = stage.catalogue.find('m', '1');
  assert.deepEqual([gone?.state, gone?.reason], ['unavailable', 'it is cut']);
});

test('one that was still being loaded when its folder went does not come', () => {
  const stage = new Stage(entry('1')).take(entry('1'), entry('2')).take(entry('1'));
  assert.deepEqual(stage.told(), ['1', ['1']]);
});

test('an unloaded model is known and can not be asked; loading brings it back through the workers', () => {
  const stage = new Stage(entry('1'));
  stage.catalogue.unload('m');
  assert.deepEqual(stage.told(), ['1', []]);
  assert.equal(stage.catalogue.find('m', '')?.state, 'unloaded');
  assert.ok(stage.catalogue.isUnloaded('m'));
  stage.ready.clear();
  assert.equal(stage.take(entry('1')).review(), false);
  assert.deepEqual(stage.told(), ['1', ['1']]);
  assert.deepEqual(stage.catalogue.listed(), [], 'nobody is told that it is broken');
  stage.ready.add('1');
  stage.review();
  assert.equal(stage.catalogue.find('m', '')?.state, 'available');
});

test('of versions at the start one that no worker could load is the last resort', () => {
  const stage = new Stage(entry('1'), entry('2'));
  assert.equal(stage.told()[0], '2');
  stage.ready.delete('2');
  stage.failed.add('2');
  stage.review();
  assert.equal(stage.told()[0], '1');
});

test('where others decide what is asked nothing waits', () => {
  const stage = new Stage(entry('1'));
  stage.catalogue.take('m', [entry('1', 'other')], true);
  assert.deepEqual(stage.told(), ['1+other', ['1+other']]);
});

test('an edition that is asked for stays with the workers until it is let go, though another serves', () => {
  const stage = new Stage(entry('1'));
  const old = stage.catalogue.find('m', '1') as ModelEntry;
  stage.catalogue.hold(old);
  stage.catalogue.hold(old);
  stage.take(entry('1', 'new'));
  stage.ready.add('1+new');
  stage.review(false);
  assert.deepEqual(stage.told(), ['1+new', ['1+new', '1']]);
  assert.deepEqual(stage.catalogue.listed().map(editionOf), ['1+new', '1']);
  assert.equal(stage.catalogue.release(old), false);
  assert.equal(stage.catalogue.release(old), true);
  assert.deepEqual(stage.told(), ['1+new', ['1+new']]);
});

test('an unloaded model that is still asked for is listed once, as what can be run', () => {
  const stage = new Stage(entry('1'));
  const old = stage.catalogue.find('m', '1') as ModelEntry;
  stage.catalogue.hold(old);
  stage.catalogue.unload('m');
  assert.equal(stage.catalogue.find('m', '1')?.state, 'unloaded');
  assert.deepEqual(
    stage.catalogue.listed().map(({ state }) => state),
    ['available'],
  );
  assert.equal(stage.catalogue.release(old), true);
  assert.deepEqual(
    stage.catalogue.listed().map(({ state }) => state),
    ['unloaded'],
  );
});

test('a model that comes back at once is not served by workers that are about to unload it', () => {
  const comesBack: ((stage: Stage) => Stage)[] = [
    (stage) => stage.take().take(entry('1')),
    (stage) => {
      stage.catalogue.unload('m');
      return stage.take(entry('1'));
    },
  ];
  for (const back of comesBack) {
    const stage = back(new Stage(entry('1')));
    assert.equal(stage.review(), false, 'they have what was taken away');
    assert.deepEqual(
      stage.catalogue.listed().filter(({ state }) => state === 'available'),
      [],
    );
    stage.ready.delete('1');
    assert.equal(stage.review(), false);
    stage.ready.add('1');
    assert.equal(stage.review(), true, 'it was loaded anew');
    assert.deepEqual(stage.told(), ['1', ['1']]);
  }
  const kept = new Stage(entry('1')).take().take(entry('1'));
  assert.equal(kept.review(false), true, 'workers that were never told that it went keep it');
  const asked = new Stage(entry('1'));
  asked.catalogue.hold(asked.catalogue.find('m', '1') as ModelEntry);
  assert.equal(asked.take().take(entry('1')).review(), true, 'requests under way kept it there');
});

test('what a node tells that it has are versions, each once, whatever variants of it requests may choose', () => {
  const file = { file: 'f', sizeBytes: 1, nodeCount: 0 };
  const config = {
    ...defaultModelConfig,
    variants: { one: 'one.onnx', two: 'two.onnx' },
    variantsByRequest: 'all',
  } as const;
  const { catalogue } = new Stage(entry('1', 's1', { config, variants: { one: file, two: file } }));
  assert.ok(catalogue.listed().length > 1, 'routers go by each');
  assert.deepEqual(catalogue.available(), ['m:1']);
});

test('what was replaced is served until the new has taken over and nobody asks it any more', () => {
  const stage = new Stage(entry('1', 'old'));
  const { catalogue } = stage;
  const [old] = catalogue.models;
  assert.ok(old);
  stage.take(entry('1', 'new'));
  stage.failed.add('1+new');
  stage.review();
  assert.equal(catalogue.serves('m', '1'), true, 'the new can not be loaded');
  stage.failed.clear();
  stage.ready.add('1+new');
  catalogue.hold(old);
  stage.take(entry('1', 'new')).review();
  assert.equal(catalogue.serves('m', '1'), true, 'it is still asked');
  catalogue.release(old);
  assert.deepEqual([catalogue.serves('m', '1'), catalogue.serves('m', '1+new')], [false, true]);
});
