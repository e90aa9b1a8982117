// Models that are listed no more: a worker runs what still comes for them until its schedulers let them go, and a scheduler
// does that once nothing is under way any more.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import { SchedulerStage } from './scheduler-stage.js';
import { digits, only, otherWorker, said, scheduler, worker } from './stage.js';
import { codes, listed, otherScheduler, started, WorkerStage } from './worker-stage.js';

const newer = { ...listed, version: '1+abc' };

function states(effects: readonly Effect[]): string[] {
  return said(effects, 'share.changed').map(({ version, state }) => `${version} ${state}`);
}

function unloaded(effects: readonly Effect[]): string[] {
  return only(effects, 'unload').map(({ version }) => version);
}

describe('a worker whose models are listed anew', () => {
  const dismissed = { type: 'share.dismissed', epoch: 1, ...digits } as const;
  const loaded = { place: 'thread', rowsMax: 4, runMs: 1, costs: [] } as const;

  test('loads what is new beside what it has, and runs both', () => {
    const stage = WorkerStage.ready();
    const effects = stage.hear({ type: 'models.listed', models: [listed, newer] });
    assert.deepEqual(states(effects), ['1+abc loading']);
    assert.deepEqual(
      only(effects, 'load').map(({ version }) => version),
      ['1+abc'],
    );
    assert.deepEqual(
      states(stage.hear({ type: 'model.loaded', model: newer.model, version: newer.version, ...loaded })),
      ['1+abc ready'],
    );
    assert.equal(started(stage.run()).length, 1);
    stage.ran(1);
    assert.equal(started(stage.run({ version: newer.version })).length, 1);
  });

  test('retires what is listed no more: it runs what comes, and goes on the last word of its schedulers', () => {
    const stage = WorkerStage.ready();
    stage.link(otherScheduler, 'scheduler');
    stage.hear({ type: 'worker.registered', epoch: 1 }, otherScheduler);
    assert.deepEqual(states(stage.hear({ type: 'models.listed', models: [] })), ['1 retiring', '1 retiring']);
    assert.equal(started(stage.run()).length, 1);
    stage.ran(1);
    assert.deepEqual(unloaded(stage.hear(dismissed, scheduler)), []);
    assert.equal(
      started(stage.run({ scheduler: otherScheduler })).length,
      1,
      'the other may still send some',
    );
    stage.hear({ type: 'run.finished', ...ended(stage.key(2, otherScheduler)) });
    const last = stage.hear(dismissed, otherScheduler);
    assert.deepEqual(unloaded(last), ['1']);
    assert.deepEqual(states(last), ['1 unloaded', '1 unloaded']);
    assert.deepEqual(codes(stage.run()), ['returned']);
  });

  test('does not wait for a scheduler that is gone, nor believe one of another epoch', () => {
    const stage = WorkerStage.ready();
    stage.hear({ type: 'models.listed', models: [] });
    assert.deepEqual(unloaded(stage.hear({ ...dismissed, epoch: 9 }, scheduler)), []);
    assert.deepEqual(unloaded(stage.hear({ type: 'link.lost', member: scheduler, reason: '' })), ['1']);
  });

  test('unloads what nobody will ask for any more only when it has run what it holds of it', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.run();
    stage.hear({ type: 'models.listed', models: [] });
    const lost = stage.hear({ type: 'link.lost', member: scheduler, reason: '' });
    assert.deepEqual(unloaded(lost), []);
    assert.deepEqual(unloaded(stage.ran(1)), [], 'another one waits');
    assert.deepEqual(unloaded(stage.ran(2)), ['1']);
  });

  test('does not unload what runs on though its answer counts for nothing', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.hear({ type: 'models.listed', models: [] });
    stage.worker.runs.withhold(stage.now);
    assert.deepEqual(unloaded(stage.hear(dismissed, scheduler)), []);
    assert.deepEqual(unloaded(stage.ran(1)), ['1'], 'its run is over');
  });

  test('loads again what is listed again while it empties, once it has gone', () => {
    const stage = WorkerStage.ready();
    stage.run();
    stage.hear({ type: 'models.listed', models: [] });
    stage.hear(dismissed, scheduler);
    assert.deepEqual(only(stage.hear({ type: 'models.listed', models: [listed] }), 'load'), []);
    assert.deepEqual(stage.worker.shares.listed(), { has: [], leaving: ['digits:1'] });
    const effects = stage.ran(1);
    assert.deepEqual([unloaded(effects), only(effects, 'load').length], [['1'], 1]);
    assert.deepEqual(stage.worker.shares.listed(), { has: [], leaving: [] });
    stage.hear({ type: 'model.loaded', model: 'digits', version: '1', ...loaded });
    assert.deepEqual(stage.worker.shares.listed(), { has: ['digits:1'], leaving: [] });
  });

  test('does not go by a word about what it is not retiring', () => {
    const stage = WorkerStage.ready();
    assert.deepEqual(stage.hear(dismissed, scheduler), []);
    assert.equal(started(stage.run()).length, 1);
  });

  test('says again with its reports that it retires, for the answer may be lost', () => {
    const stage = WorkerStage.ready();
    stage.hear({ type: 'models.listed', models: [] });
    assert.deepEqual(states(stage.fire('report')), ['1 retiring']);
  });

  test('keeps what is listed again before its schedulers have let it go, and tells those that have', () => {
    const stage = WorkerStage.ready();
    stage.link(otherScheduler, 'scheduler');
    stage.hear({ type: 'worker.registered', epoch: 1 }, otherScheduler);
    stage.hear({ type: 'models.listed', models: [] });
    stage.hear(dismissed, scheduler);
    assert.deepEqual(stage.worker.shares.listed(), { has: [], leaving: ['digits:1'] });
    assert.deepEqual(states(stage.hear({ type: 'models.listed', models: [listed] })), ['1 ready', '1 ready']);
    assert.deepEqual(stage.worker.shares.listed(), { has: ['digits:1'], leaving: [] });
    assert.deepEqual(
      unloaded(stage.hear(dismissed, otherScheduler)),
      [],
      'it was said before that was heard',
    );
    assert.equal(started(stage.run()).length, 1);
    stage.hear({ type: 'models.listed', models: [] });
    assert.deepEqual(unloaded(stage.hear(dismissed, otherScheduler)), [], 'both have to let it go anew');
  });

  test('loads again what is listed again to take over, once it has gone', () => {
    const stage = WorkerStage.ready();
    stage.hear({ type: 'models.listed', models: [] });
    const coming = { ...listed, load: 'now' } as const;
    assert.deepEqual(states(stage.hear({ type: 'models.listed', models: [coming] })), []);
    const effects = stage.hear(dismissed, scheduler);
    assert.deepEqual(states(effects), ['1 unloaded', '1 loading']);
    assert.deepEqual([unloaded(effects), only(effects, 'load').length], [['1'], 1]);
  });

  test('whose loading had begun throws it away when it is done; what had not begun is not loaded', () => {
    const stage = WorkerStage.ready();
    const later = { ...listed, version: '2' };
    stage.hear({ type: 'models.listed', models: [listed, newer, later] });
    assert.deepEqual(states(stage.hear({ type: 'models.listed', models: [listed] })), [
      '1+abc unloaded',
      '2 unloaded',
    ]);
    const effects = stage.hear({
      type: 'model.loaded',
      model: newer.model,
      version: newer.version,
      ...loaded,
    });
    assert.deepEqual(unloaded(effects), ['1+abc']);
    assert.deepEqual(only(effects, 'load'), []);
  });

  test('whose loading had begun and fails has nothing to unload', () => {
    const stage = WorkerStage.ready();
    stage.hear({ type: 'models.listed', models: [listed, newer] });
    stage.hear({ type: 'models.listed', models: [listed] });
    const { model, version } = newer;
    assert.deepEqual(unloaded(stage.hear({ type: 'model.failed', model, version, reason: 'corrupt' })), []);
    const effects = stage.hear({ type: 'models.listed', models: [listed, newer] });
    assert.equal(only(effects, 'load').length, 1, 'and may be loaded again');
  });

  test('forgets what failed', () => {
    const stage = WorkerStage.ready();
    stage.hear({ type: 'models.listed', models: [listed, newer] });
    stage.hear({ type: 'model.failed', model: newer.model, version: newer.version, reason: 'corrupt' });
    assert.deepEqual(states(stage.hear({ type: 'models.listed', models: [listed] })), ['1+abc unloaded']);
    assert.deepEqual(states(stage.hear({ type: 'models.listed', models: [listed, newer] })), [
      '1+abc loading',
    ]);
  });
});

function ended(key: string) {
  const times = { inputMs: 1, computeMs: 2, outputMs: 3 };
  return { key, code: '', reason: '', outputs: [], sizes: [], ...times } as const;
}

describe('a scheduler whose workers retire a model', () => {
  const quietMs = 1000;
  const letGo = (effects: readonly Effect[]) =>
    only(effects, 'send')
      .filter(({ message }) => message.type === 'share.dismissed')
      .map(({ to }) => to);

  test('lets it go when nobody has asked for a while', () => {
    const stage = SchedulerStage.with([worker]);
    const effects = stage.share(worker, 1, { state: 'retiring' });
    assert.deepEqual(letGo(effects), []);
    const [armed] = only(effects, 'arm').filter(({ timer }) => timer === 'retirements');
    assert.equal(armed?.at, quietMs);
    stage.now = quietMs - 1;
    assert.ok(stage.place(), 'until then it is run as ever');
    assert.deepEqual(letGo(stage.hear({ type: 'timer.fired', timer: 'retirements' })), []);
  });

  test('keeps it while something waits or runs, wherever: what one worker loses another may have to run', () => {
    const stage = SchedulerStage.with([worker, otherWorker]);
    const assign = stage.place();
    assert.ok(assign);
    stage.share(worker, 1, { state: 'retiring' });
    stage.share(otherWorker, 2, { state: 'retiring' });
    stage.now = 10 * quietMs;
    assert.deepEqual(letGo(stage.hear({ type: 'timer.fired', timer: 'retirements' })), []);
    stage.release(assign);
    stage.now += quietMs / 2;
    assert.deepEqual(letGo(stage.hear({ type: 'timer.fired', timer: 'retirements' })), [worker, otherWorker]);
    stage.enqueue();
    assert.deepEqual(stage.settle(), [], 'nothing more is sent there');
  });

  test('gives it nothing more where another has the model and stays, and lets it go when it has run what it has', () => {
    const stage = SchedulerStage.with([worker, otherWorker]);
    const held = [stage.place(), stage.place()];
    assert.deepEqual(new Set(held.map((assign) => assign?.worker)), new Set([worker, otherWorker]));
    assert.deepEqual(letGo(stage.share(worker, 1, { state: 'retiring' })), [], 'it has one to run');
    for (const assign of held) if (assign?.worker === otherWorker) stage.release(assign);
    assert.equal(stage.place()?.worker, otherWorker);
    for (const assign of held) if (assign?.worker === worker) stage.release(assign);
    stage.enqueue();
    stage.now += quietMs / 5;
    const effects = stage.hear({ type: 'timer.fired', timer: 'retirements' });
    assert.deepEqual(letGo(effects), [worker], 'though somebody waits and the other is busy');
  });

  test('has it run what comes when who has the model too is not trusted', () => {
    const stage = SchedulerStage.with([worker, otherWorker]);
    stage.hear({ type: 'peer.judged', member: otherWorker, verdict: 'suspect', reason: '' }, 'health-1');
    assert.deepEqual(letGo(stage.share(worker, 1, { state: 'retiring' })), []);
    assert.equal(stage.place()?.worker, worker);
  });

  test('counts it as ready until then, and not any more after that', () => {
    const stage = SchedulerStage.with([worker]);
    assert.deepEqual(said(stage.share(worker, 1, { state: 'retiring' }), 'model.reported'), []);
    stage.now = quietMs;
    const effects = stage.hear({ type: 'timer.fired', timer: 'retirements' });
    assert.deepEqual(letGo(effects), [worker]);
    assert.deepEqual([...new Set(said(effects, 'model.reported').map(({ ready }) => ready))], [0]);
  });

  test('says it again to one that did not hear it', () => {
    const stage = SchedulerStage.with([worker]);
    stage.share(worker, 1, { state: 'retiring' });
    stage.now = quietMs;
    stage.hear({ type: 'timer.fired', timer: 'retirements' });
    stage.share(worker, 1, { state: 'retiring' });
    stage.now += quietMs;
    assert.deepEqual(letGo(stage.hear({ type: 'timer.fired', timer: 'retirements' })), [worker]);
  });

  test('is not held up by being told again and again', () => {
    const stage = SchedulerStage.with([worker]);
    for (stage.now = 0; stage.now < quietMs; stage.now += 100) stage.share(worker, 1, { state: 'retiring' });
    assert.deepEqual(letGo(stage.hear({ type: 'timer.fired', timer: 'retirements' })), [worker]);
  });

  test('remembers nothing of it once the last worker has unloaded it', () => {
    const stage = SchedulerStage.with([worker, otherWorker]);
    const told = (): string[] => {
      const member = 'router-9.abcabc';
      const effects = stage.hear({ type: 'link.opened', member, roles: ['router'] });
      return said(effects, 'model.reported').map(({ version }) => version);
    };
    for (const [member, epoch] of [
      [worker, 1],
      [otherWorker, 2],
    ] as const) {
      stage.share(member, epoch, { version: '1+abc' });
      stage.share(member, epoch, { state: 'unloaded' });
      assert.deepEqual(told(), epoch === 1 ? ['1', '1+abc'] : ['1+abc']);
    }
  });
});
