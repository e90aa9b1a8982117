// The supervisor: replaces the workers that are gone, says how they ended, and ends those that stay silent.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Heard } from '../../actors/actor.js';
import type { Effect } from '../../actors/effects.js';
import { Supervisor } from '../../actors/supervisor/supervisor.js';
import type { MemberId } from '../../proto/ids.js';
import type { Cause } from '../../proto/messages.js';
import { notes, only, router, said, scheduler, told, worker } from './stage.js';

const health = 'health-1.hhhhhh';
const host = 'host-1.eeeeee';

describe('the supervisor', () => {
  const restart = {
    restartsMax: 2,
    windowMs: 10_000,
    backoffFirstMs: 100,
    backoffMostMs: 5000,
    usefulAfterMs: 1000,
  };

  class Crew {
    readonly supervisor = new Supervisor({ names: ['worker-1', 'worker-2'], restart, hungKillMs: 300 });
    now = 0;

    constructor() {
      for (const [member, role] of [
        [router, 'router'],
        [scheduler, 'scheduler'],
        [health, 'health'],
      ] as const) {
        this.hear({ type: 'link.opened', member, roles: [role] });
      }
      this.supervisor.begin();
      this.spawned(0, worker);
      this.spawned(1, 'worker-2.d');
    }

    hear(heard: Heard): Effect[] {
      return this.supervisor.receive(heard, host, this.now);
    }

    spawned(slot: number, member: MemberId): void {
      this.hear({ type: 'child.spawned', slot, member });
    }

    exited(slot: number, member: MemberId, cause: Cause): Effect[] {
      return this.hear({ type: 'child.exited', slot, member, cause, detail: 'SIGSEGV' });
    }
  }

  test('begins with a process for every slot', () => {
    assert.deepEqual(new Supervisor({ names: ['a', 'b'], restart, hungKillMs: 1 }).begin(), [
      { type: 'spawn', slot: 0, name: 'a' },
      { type: 'spawn', slot: 1, name: 'b' },
    ]);
  });

  test('tells everybody how one ended and starts another', () => {
    const crew = new Crew();
    crew.now = 5000;
    const effects = crew.exited(0, worker, 'crashed');
    const word = { type: 'worker.exited', worker, cause: 'crashed', detail: 'SIGSEGV' };
    assert.deepEqual(
      told(effects),
      [health, router, scheduler].map((to) => ({ to, message: word })),
    );
    assert.deepEqual(only(effects, 'spawn'), [{ type: 'spawn', slot: 0, name: 'worker-1' }]);
  });

  test('hears of one end once', () => {
    const crew = new Crew();
    crew.now = 5000;
    crew.exited(0, worker, 'crashed');
    crew.spawned(0, 'worker-1.second');
    assert.deepEqual(crew.exited(0, worker, 'crashed'), []);
  });

  test('waits before it starts again what dies at once, unless an outside hand did it', () => {
    const crew = new Crew();
    crew.now = 50;
    const effects = crew.exited(0, worker, 'crashed');
    assert.deepEqual(only(effects, 'spawn'), []);
    assert.deepEqual(only(effects, 'arm'), [{ type: 'arm', timer: 'spawn 0', at: 150 }]);
    crew.now = 150;
    const fire = () => crew.hear({ type: 'timer.fired', timer: 'spawn 0' });
    assert.deepEqual(fire(), [{ type: 'spawn', slot: 0, name: 'worker-1' }]);
    crew.spawned(0, 'worker-1.second');
    assert.deepEqual(fire(), [], 'it runs already');
    assert.equal(only(crew.exited(1, 'worker-2.d', 'killed'), 'spawn').length, 1);
  });

  test('ends one that stays silent after it was given up; nobody can say then whether it had broken down', () => {
    const crew = new Crew();
    crew.now = 5000;
    const judge = (verdict: 'down' | 'trusted') =>
      crew.hear({ type: 'peer.judged', member: worker, verdict, reason: '' });
    assert.deepEqual(judge('down'), [{ type: 'arm', timer: 'kill 0', at: 5300 }]);
    assert.deepEqual(judge('trusted'), [{ type: 'disarm', timer: 'kill 0' }]);
    judge('down');
    const [kill] = only(crew.hear({ type: 'timer.fired', timer: 'kill 0' }), 'kill');
    assert.deepEqual([kill?.slot, kill?.reason], [0, 'silent for 300 ms after it was given up']);
    const effects = crew.exited(0, worker, 'killed');
    assert.deepEqual([...new Set(said(effects, 'worker.exited').map(({ cause }) => cause))], ['unknown']);
    assert.equal(notes(effects)[0]?.event, 'worker.exited');
  });

  test('ends nobody on the word of a health that is gone, as long as no other is there', () => {
    const crew = new Crew();
    const lose = (member: MemberId) => only(crew.hear({ type: 'link.lost', member, reason: '' }), 'disarm');
    crew.hear({ type: 'link.opened', member: 'health-2.i', roles: ['health'] });
    crew.hear({ type: 'peer.judged', member: worker, verdict: 'down', reason: '' });
    assert.deepEqual(lose(router), []);
    assert.deepEqual(lose(health), []);
    assert.deepEqual(
      lose('health-2.i').map(({ timer }) => timer),
      ['kill 0', 'kill 1'],
    );
  });

  test('does not judge whom it does not keep', () => {
    const down = { type: 'peer.judged', member: 'worker-7.z', verdict: 'down', reason: '' } as const;
    assert.deepEqual(new Crew().hear(down), []);
  });

  test('starts nothing while it drains', () => {
    const crew = new Crew();
    crew.now = 50;
    crew.exited(0, worker, 'crashed');
    crew.hear({ type: 'drain.requested' });
    assert.deepEqual(crew.hear({ type: 'timer.fired', timer: 'spawn 0' }), []);
    const effects = crew.exited(1, 'worker-2.d', 'stopped');
    assert.deepEqual([only(effects, 'spawn'), only(effects, 'arm')], [[], []]);
    assert.equal(said(effects, 'worker.exited').length, 3, 'but says how they ended');
  });
});
