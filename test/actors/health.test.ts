// Whom to trust: suspicion by the pace of beats, the health actor that judges by it, and the pulse that beats.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Heard } from '../../actors/actor.js';
import type { Effect } from '../../actors/effects.js';
import { Health } from '../../actors/health/health.js';
import { Pulse } from '../../actors/peer/pulse.js';
import { Suspicion, type SuspicionSettings } from '../../actors/peer/suspicion.js';
import type { MemberId, Role } from '../../proto/ids.js';
import type { Said } from '../../proto/messages.js';
import { only, router, said, scheduler, told, worker } from './stage.js';

const settings: SuspicionSettings = {
  tickMs: 10,
  suspectPhi: 2,
  downPhi: 4,
  gapLeastMs: 25,
  gapMostMs: 200,
  firstBeatMs: 500,
};
const health = 'health-1.hhhhhh';
const host = 'host-1.eeeeee';

/** The silence after which phi is reached, at a steady pace. */
function silenceFor(phi: number, gapMs: number): number {
  return (phi * gapMs) / Math.LOG10E;
}

/** Whoever means to beat faster than the watcher does is judged by the pace that it keeps. */
const eagerMs = 5;

function beatSteadily(suspicion: Suspicion, gapMs: number, beats: number, first = 1): void {
  for (let beat = 0; beat < beats; beat++) {
    for (let passed = 0; passed < gapMs; passed += settings.tickMs) suspicion.pass(settings.tickMs);
    suspicion.beat(first + beat, eagerMs);
  }
}

describe('suspicion', () => {
  test('grows with silence and ends with a beat', () => {
    const suspicion = new Suspicion(settings);
    beatSteadily(suspicion, 30, 20);
    let before = suspicion.phi();
    assert.equal(before, 0);
    for (let tick = 0; tick < 30; tick++) {
      suspicion.pass(10);
      assert.ok(suspicion.phi() > before);
      before = suspicion.phi();
    }
    assert.ok(before > settings.downPhi);
    assert.ok(suspicion.beat(21, eagerMs));
    assert.equal(suspicion.phi(), 0);
  });

  test('is measured by the pace of the one that is watched', () => {
    const [quick, slow] = [new Suspicion(settings), new Suspicion(settings)];
    beatSteadily(quick, 30, 60);
    beatSteadily(slow, 120, 60);
    for (let tick = 0; tick < 15; tick++) for (const suspicion of [quick, slow]) suspicion.pass(10);
    assert.ok(quick.phi() > settings.suspectPhi && slow.phi() < settings.suspectPhi);
  });

  test('believes no pace beyond its bounds', () => {
    const [hasty, lazy] = [new Suspicion(settings), new Suspicion(settings)];
    for (let beat = 1; beat < 100; beat++) {
      hasty.pass(1);
      hasty.beat(beat, eagerMs);
    }
    beatSteadily(lazy, 5000, 60);
    for (let tick = 0; tick < 5; tick++) hasty.pass(10);
    assert.ok(Math.abs(hasty.phi() - 50 / 25 / Math.LN10) < 0.01, 'as if it had beaten every 25 ms');
    lazy.pass(20);
    assert.ok(Math.abs(lazy.phi() - 20 / 200 / Math.LN10) < 0.01, 'as if it had beaten every 200 ms');
  });

  test("the watcher's own absence is not held against the watched", () => {
    const suspicion = new Suspicion(settings);
    beatSteadily(suspicion, 30, 20);
    suspicion.pass(10_000);
    assert.ok(suspicion.phi() < settings.suspectPhi);
    assert.equal(suspicion.silence, 20);
  });

  test('who has not beaten yet is starting', () => {
    const suspicion = new Suspicion(settings);
    for (let passed = 0; passed < settings.firstBeatMs; passed += 10) suspicion.pass(10);
    assert.equal(suspicion.phi(), 0);
    for (let passed = 0; passed < 300; passed += 10) suspicion.pass(10);
    assert.ok(suspicion.phi() > settings.downPhi);
  });

  test('is slower where the network holds beats back again and again, and no slower of one that was stuck', () => {
    const [held, stuck] = [new Suspicion(settings), new Suspicion(settings)];
    const silentMs = 600;
    let [at, stuckAt] = [20, 20];
    for (const suspicion of [held, stuck]) beatSteadily(suspicion, 30, at);
    const pass = (suspicion: Suspicion): void => {
      for (let passed = 0; passed < silentMs; passed += settings.tickMs) suspicion.pass(settings.tickMs);
    };
    const phiAfter = (suspicion: Suspicion): number => {
      pass(suspicion);
      return suspicion.phi();
    };
    const before = phiAfter(held);
    assert.ok(Math.abs(phiAfter(stuck) / before - 1) < 0.01);
    for (let time = 0; time < 3; time++) {
      // All that were sent in that time come at its end; of one that was stuck there is one.
      for (let beat = 1; beat <= silentMs / 30; beat++) held.beat(at + beat, eagerMs);
      stuck.beat(stuckAt + 1, eagerMs);
      beatSteadily(held, 30, 2, at + silentMs / 30 + 1);
      beatSteadily(stuck, 30, 2, stuckAt + 2);
      at += silentMs / 30 + 2;
      stuckAt += 3;
      pass(held);
      pass(stuck);
    }
    assert.ok(held.phi() < settings.suspectPhi * 1.5, `${held.phi()} after ${before}`);
    assert.ok(stuck.phi() > settings.downPhi, `${stuck.phi()} after ${before}`);
  });

  test('a copy or a late beat is none; lost beats do not slow the pace', () => {
    const suspicion = new Suspicion(settings);
    beatSteadily(suspicion, 30, 20);
    suspicion.pass(10);
    assert.ok(!suspicion.beat(20, eagerMs) && !suspicion.beat(3, eagerMs));
    assert.equal(suspicion.silence, 10);
    const paced = new Suspicion(settings);
    // Of four beats one arrives: it comes late, and the pace is known from its number.
    for (let beat = 4; beat <= 200; beat += 4) {
      for (let tick = 0; tick < 12; tick++) paced.pass(10);
      paced.beat(beat, eagerMs);
    }
    for (let tick = 0; tick < 20; tick++) paced.pass(10);
    assert.ok(paced.phi() > settings.suspectPhi);
  });
});

class Watch {
  readonly health = new Health(health, settings);
  now = 0;
  private sequence = 0;

  constructor() {
    this.open(router, 'router');
    this.open(scheduler, 'scheduler');
    this.open(host, 'host');
    this.open(worker, 'worker');
  }

  hear(heard: Heard, from: MemberId = health): Effect[] {
    return this.health.receive(heard, from, this.now);
  }

  open(member: MemberId, role: Role): Effect[] {
    return this.hear({ type: 'link.opened', member, roles: [role] });
  }

  beat(...members: readonly MemberId[]): Effect[] {
    this.sequence++;
    const beat = { type: 'peer.beat', sequence: this.sequence, intervalMs: 30 } as const;
    return members.flatMap((member) => this.hear(beat, member));
  }

  /** Everybody beats but those that are silent. */
  pass(ms: number, ...silent: readonly MemberId[]): Effect[] {
    const effects: Effect[] = [];
    for (let passed = 0; passed < ms; passed += settings.tickMs) {
      this.now += settings.tickMs;
      if (this.now % 30 === 0) {
        effects.push(
          ...this.beat(...[router, scheduler, host, worker].filter((member) => !silent.includes(member))),
        );
      }
      effects.push(...this.hear({ type: 'timer.fired', timer: 'watch' }));
    }
    return effects;
  }
}

function verdicts(effects: readonly Effect[]): string[] {
  return said(effects, 'peer.judged').map(({ member, verdict }) => `${member.split('.')[0]} ${verdict}`);
}

describe('health', () => {
  test('says nothing while all beat', () => {
    const watch = new Watch();
    watch.pass(30);
    assert.deepEqual(verdicts(watch.pass(3000)), []);
    assert.equal(watch.health.state(worker), 'trusted');
  });

  test('the first beat over a link clears what was said before', () => {
    const watch = new Watch();
    watch.pass(600);
    watch.pass(2000, worker);
    watch.hear({ type: 'link.lost', member: worker, reason: '' });
    assert.deepEqual(verdicts(watch.open(worker, 'worker')), []);
    const listeners = [host, router, scheduler];
    assert.deepEqual(
      verdicts(watch.beat(worker)),
      listeners.map(() => 'worker-1 trusted'),
    );
    assert.deepEqual(watch.beat(worker), []);
  });

  test('ticks on and on', () => {
    const watch = new Watch();
    const [timer] = only(watch.pass(10), 'arm');
    assert.deepEqual(timer, { type: 'arm', timer: 'watch', at: watch.now + settings.tickMs });
  });

  test('doubts, gives up, and trusts again; each word once, to all but the one it is about', () => {
    const watch = new Watch();
    watch.pass(600);
    const effects = watch.pass(2000, worker);
    const listeners = [host, router, scheduler];
    assert.deepEqual(
      said(effects, 'peer.judged').map(({ verdict }) => verdict),
      [...listeners.map(() => 'suspect'), ...listeners.map(() => 'down')],
    );
    assert.deepEqual(new Set(told(effects).map(({ to }) => to)), new Set(listeners));
    assert.match(said(effects, 'peer.judged')[0]?.reason ?? '', /silent for \d+ ms \(phi [\d.]+\)/);
    assert.deepEqual(
      verdicts(watch.beat(worker)),
      listeners.map(() => 'worker-1 trusted'),
    );
    assert.deepEqual(verdicts(watch.pass(1000)), []);
  });

  test('tells nobody about itself', () => {
    const watch = new Watch();
    watch.pass(600);
    const effects = watch.pass(1000, router);
    assert.deepEqual(new Set(told(effects).map(({ to }) => to)), new Set([host, scheduler]));
    watch.open(health, 'health');
    assert.equal(watch.health.state(health), undefined, 'nor does it watch itself');
  });

  test('who watches for himself is told nothing, now or when he comes', () => {
    const watch = new Watch();
    const other = 'router-2.rrrrrr';
    const later = 'router-3.rrrrrr';
    watch.hear({ type: 'link.opened', member: other, roles: ['router', 'health'] });
    watch.pass(600);
    const effects = watch.pass(400, worker);
    assert.ok(verdicts(effects).includes('worker-1 down'));
    assert.ok(
      !told(effects).some(
        ({ to, message }) => to === other && message.type === 'peer.judged' && message.member === worker,
      ),
    );
    assert.deepEqual(watch.hear({ type: 'link.opened', member: later, roles: ['router', 'health'] }), []);
  });

  test('takes as long as its settings say', () => {
    const watch = new Watch();
    watch.pass(1500);
    const begun = watch.now;
    let at: number | undefined;
    while (at === undefined) {
      if (said(watch.pass(10, worker), 'peer.judged').some(({ verdict }) => verdict === 'down'))
        at = watch.now;
    }
    const expected = silenceFor(settings.downPhi, 30);
    assert.ok(
      at - begun > expected - 31 && at - begun < expected + 31,
      `${at - begun} ms, expected ${expected}`,
    );
  });

  test('who beats slower than the watcher expects, and says so, is trusted, until it misses its own beats', () => {
    const watch = new Watch();
    const slow = 'node-9.x';
    watch.open(slow, 'router');
    let sequence = 0;
    const beatSlowly = (): string[] => {
      const effects = watch.pass(390);
      const beat = { type: 'peer.beat', sequence: ++sequence, intervalMs: 400 } as const;
      return verdicts([...effects, ...watch.hear(beat, slow), ...watch.pass(10)]);
    };
    beatSlowly();
    for (let beats = 0; beats < 20; beats++) assert.deepEqual(beatSlowly(), []);
    const expected = silenceFor(settings.downPhi, 400);
    assert.deepEqual([...new Set(verdicts(watch.pass(expected + 800)))], ['node-9 suspect', 'node-9 down']);
  });

  test('nobody buys itself trust for ever with the pace that it names', () => {
    const suspicion = new Suspicion(settings);
    suspicion.beat(1, 1e9);
    for (let passed = 0; passed < silenceFor(settings.downPhi, 10_000) + 20; passed += 10) suspicion.pass(10);
    assert.ok(suspicion.phi() > settings.downPhi);
  });

  test('its own long absence makes nobody suspect', () => {
    const watch = new Watch();
    watch.pass(600);
    watch.now += 60_000;
    assert.deepEqual(verdicts(watch.hear({ type: 'timer.fired', timer: 'watch' })), []);
  });

  test('a member that never beats is given up in the end', () => {
    const watch = new Watch();
    watch.pass(30);
    watch.open('worker-9.x', 'worker');
    const effects = watch.pass(2000);
    assert.deepEqual([...new Set(verdicts(effects))], ['worker-9 suspect', 'worker-9 down']);
  });

  test('a new listener hears whom not to trust', () => {
    const watch = new Watch();
    watch.pass(600);
    watch.pass(2000, worker);
    const effects = watch.open('router-2.x', 'router');
    assert.deepEqual(
      told(effects).map(({ to, message }) => [to, (message as Said<'peer.judged'>).verdict]),
      [['router-2.x', 'down']],
    );
  });

  test('whose end is known is not judged any more', () => {
    for (const heard of [
      { type: 'link.lost', member: worker, reason: '' },
      { type: 'worker.exited', worker, cause: 'killed', detail: '' },
    ] as const) {
      const watch = new Watch();
      watch.pass(600);
      watch.hear(heard);
      assert.deepEqual(verdicts(watch.pass(3000, worker)), []);
      assert.deepEqual(watch.beat(worker), [], 'a late beat of it changes nothing');
    }
  });
});

describe('the pulse', () => {
  const open = (pulse: Pulse, member: MemberId, ...roles: Role[]) =>
    pulse.receive({ type: 'link.opened', member, roles }, member, 0);

  test('begins with the first watcher, and beats to each', () => {
    const pulse = new Pulse(worker, 25);
    assert.deepEqual(open(pulse, router, 'router'), []);
    const first = open(pulse, health, 'health');
    assert.deepEqual(only(first, 'arm'), [{ type: 'arm', timer: 'beat', at: 25 }]);
    assert.deepEqual(told(first), [
      { to: health, message: { type: 'peer.beat', sequence: 1, intervalMs: 25 } },
    ]);
    assert.deepEqual(open(pulse, 'health-2.x', 'health'), [], 'the rhythm stays');
    const next = pulse.receive({ type: 'timer.fired', timer: 'beat' }, worker, 25);
    assert.deepEqual(
      told(next).map(({ to }) => to),
      [health, 'health-2.x'],
    );
    assert.deepEqual(
      said(next, 'peer.beat').map(({ sequence }) => sequence),
      [2, 2],
    );
  });

  test('stops with the last watcher and begins again with a new one', () => {
    const pulse = new Pulse(worker, 25);
    open(pulse, health, 'health');
    pulse.receive({ type: 'link.lost', member: health, reason: '' }, worker, 0);
    assert.deepEqual(pulse.receive({ type: 'timer.fired', timer: 'beat' }, worker, 25), []);
    assert.equal(
      said(open(pulse, health, 'health'), 'peer.beat')[0]?.sequence,
      2,
      'its numbers never go back',
    );
  });

  test('does not beat to itself', () => {
    const pulse = new Pulse(health, 25);
    assert.deepEqual(open(pulse, health, 'health'), []);
  });
});
