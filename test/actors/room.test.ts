// Models that share the memory of a worker: who is loaded, and who makes room for it and when.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Heard } from '../../actors/actor.js';
import type { Effect } from '../../actors/effects.js';
import type { ListedModel } from '../../actors/facts.js';
import type { WorkerSettings } from '../../actors/worker/worker.js';
import { only, router, said, scheduler } from './stage.js';
import { codes, listed, otherScheduler, started, WorkerStage } from './worker-stage.js';

const loadTakesMs = 10;

function model(name: string, memoryMb: number, load: ListedModel['load'] = 'start'): ListedModel {
  return { ...listed, model: name, memoryMb, load } as ListedModel;
}

/** A worker whose models may take 4 MB, with what it loads loaded. */
class Shelf extends WorkerStage {
  constructor(models: readonly ListedModel[], settings: Partial<WorkerSettings> = {}) {
    super({ memoryMb: 4, ...settings });
    this.link(router, 'router');
    this.link(scheduler, 'scheduler');
    this.hear({ type: 'worker.registered', epoch: 1 }, scheduler);
    this.list(models);
  }

  list(models: readonly ListedModel[]): Effect[] {
    return this.loadAll(this.hear({ type: 'models.listed', models }));
  }

  /** Answers loads until none is asked for any more. */
  loadAll(effects: readonly Effect[]): Effect[] {
    const all = [...effects];
    for (let asked = only(effects, 'load'); asked.length > 0; ) {
      this.now += loadTakesMs;
      const [{ model: name = '', version = '' } = {}] = asked;
      const loaded = { place: 'thread', rowsMax: 4, runMs: 1, costs: [] } as const;
      const next = this.hear({ type: 'model.loaded', model: name, version, ...loaded });
      all.push(...next);
      asked = only(next, 'load');
    }
    return all;
  }

  wake(name: string, must = true): Effect[] {
    return this.hear({ type: 'share.wake', epoch: 1, model: name, version: '1', must }, scheduler);
  }

  dismiss(name: string, from = scheduler): Effect[] {
    return this.hear({ type: 'share.dismissed', epoch: 1, model: name, version: '1' }, from);
  }

  use(name: string): void {
    this.run({ model: name as 'digits' });
    this.ran(this.used++);
  }

  states(): Record<string, string> {
    return Object.fromEntries(
      [...this.worker.shares.all()].map(({ listed: { model: name }, chart }) => [name, chart.state]),
    );
  }

  private used = 1;
}

function states(effects: readonly Effect[]): string[] {
  return said(effects, 'share.changed').map(({ model: name, state }) => `${name} ${state}`);
}

describe('a worker whose models share its memory', () => {
  const abc = [model('a', 2), model('b', 2), model('c', 2)];

  test('loads what fits in their order, and lets the others rest', () => {
    const shelf = new Shelf([model('a', 2), model('b', 3), model('c', 1), model('d', 1, 'demand')]);
    assert.deepEqual(shelf.states(), { a: 'ready', b: 'resting', c: 'ready', d: 'resting' });
  });

  test('says why, of one that can never be loaded', () => {
    const [changed] = said(
      new Shelf([]).hear({ type: 'models.listed', models: [model('a', 5)] }),
      'share.changed',
    );
    assert.equal(changed?.state, 'failed');
    assert.match(changed?.reason ?? '', /about 5 MB, and models may take 4 MB in a worker \(modelMemoryMb\)/);
  });

  test('without a bound has room for all', () => {
    const shelf = new Shelf([model('a', 200), model('b', 300, 'demand')], { memoryMb: 0 });
    assert.deepEqual(shelf.states(), { a: 'ready', b: 'resting' });
    shelf.loadAll(shelf.wake('b', false));
    assert.deepEqual(shelf.states(), { a: 'ready', b: 'ready' });
  });

  test('has the one that was used least recently make room, and loads when schedulers have let it go', () => {
    const shelf = new Shelf(abc);
    shelf.use('b');
    shelf.now += 100;
    shelf.use('a');
    shelf.now += 100;
    assert.deepEqual(states(shelf.wake('c')), ['b yielding']);
    const effects = shelf.dismiss('b');
    assert.deepEqual(
      only(effects, 'unload').map(({ model: name }) => name),
      ['b'],
    );
    assert.deepEqual(states(effects), ['b resting', 'c loading']);
    shelf.loadAll(effects);
    assert.deepEqual(shelf.states(), { a: 'ready', b: 'resting', c: 'ready' });
  });

  test('waits for every scheduler, and for what it still runs', () => {
    const shelf = new Shelf(abc);
    shelf.link(otherScheduler, 'scheduler');
    shelf.hear({ type: 'worker.registered', epoch: 1 }, otherScheduler);
    shelf.now += 1000;
    shelf.wake('c');
    assert.equal(started(shelf.run({ model: 'a' as 'digits' })).length, 1, 'what was on its way is run');
    assert.deepEqual(only(shelf.dismiss('a'), 'unload'), []);
    assert.deepEqual(only(shelf.dismiss('a', otherScheduler), 'unload'), []);
    assert.deepEqual(codes(shelf.run({ model: 'a' as 'digits' })), ['returned']);
    assert.deepEqual(
      only(shelf.ran(1), 'unload').map(({ model: name }) => name),
      ['a'],
    );
  });

  test('keeps what has just been loaded until it was used, and what is at work until it has earned its loading', () => {
    const shelf = new Shelf(abc);
    assert.deepEqual(states(shelf.wake('c')), []);
    assert.deepEqual(states(shelf.fire('room')), [], 'neither has been used');
    shelf.run({ model: 'a' as 'digits' });
    shelf.now += 2 * loadTakesMs;
    assert.deepEqual(states(shelf.wake('c')), [], 'it runs, and has been there for too short a time');
    shelf.now += 3 * loadTakesMs;
    assert.deepEqual(states(shelf.wake('c')), ['a yielding']);
  });

  test('looks again by itself when somebody may make room', () => {
    const shelf = new Shelf(abc);
    const [armed] = only(shelf.wake('c'), 'arm').filter(({ timer }) => timer === 'room');
    assert.ok(armed !== undefined);
    shelf.now = armed.at;
    assert.deepEqual(states(shelf.fire('room')), ['a yielding']);
  });

  test('forgets who is asked for no more, and who would only be of use, where there is no room', () => {
    const shelf = new Shelf(abc);
    shelf.wake('c', false);
    shelf.now += 1000;
    assert.deepEqual(states(shelf.fire('room')), []);
    shelf.use('a');
    shelf.use('b');
    shelf.wake('c');
    shelf.now += 5000;
    assert.deepEqual(states(shelf.fire('room')), [], 'nobody has said it again');
  });

  test('makes room for what is to take over, which makes room for nobody before it has', () => {
    const shelf = new Shelf([model('a', 2), model('b', 2)]);
    shelf.now += 1000;
    const effects = shelf.list([model('a', 2), model('b', 2), model('c', 2, 'now')]);
    assert.deepEqual(states(effects), ['c resting', 'a yielding']);
    shelf.loadAll(shelf.dismiss('a'));
    shelf.now += 1000;
    shelf.wake('a');
    assert.deepEqual(shelf.states(), { a: 'resting', b: 'yielding', c: 'ready' });
  });

  test('loads once more what is listed no more and somebody waits for, and lets it go after that', () => {
    const shelf = new Shelf([model('a', 4), model('b', 4)]);
    assert.deepEqual(states(shelf.list([model('a', 4)])), ['b fading']);
    shelf.now += 1000;
    shelf.wake('b');
    assert.deepEqual(states(shelf.loadAll(shelf.dismiss('a'))), ['a resting', 'b loading', 'b retiring']);
    assert.equal(started(shelf.run({ model: 'b' as 'digits' })).length, 1);
    shelf.ran(1);
    assert.deepEqual(states(shelf.dismiss('b')), ['b unloaded']);
  });

  test('does not try again what can not be loaded as it was listed, until it is listed anew', () => {
    const shelf = new Shelf([model('a', 4), model('b', 4, 'demand')], { memoryMb: 0 });
    shelf.wake('b');
    const failed = {
      type: 'model.failed',
      model: 'b',
      version: '1',
      reason: 'its files have changed',
      stale: true,
    };
    assert.deepEqual(states(shelf.hear(failed as Heard)), ['b resting']);
    assert.deepEqual(only(shelf.wake('b'), 'load'), []);
    shelf.hear({ type: 'models.listed', models: [model('a', 4), model('b', 4, 'demand')] });
    assert.equal(only(shelf.wake('b'), 'load').length, 1);
  });

  test('forgets what rests and is listed no more when nobody waits for it, and keeps what is listed again', () => {
    const shelf = new Shelf([model('a', 4), model('b', 4), model('c', 4)]);
    shelf.list([model('a', 4)]);
    shelf.list([model('a', 4), model('c', 4)]);
    assert.deepEqual(states(shelf.dismiss('b')), ['b unloaded']);
    assert.deepEqual(shelf.states(), { a: 'ready', c: 'resting' });
  });
});
