// The health actor: watches the beats of every other member and tells routers, schedulers and hosts whom to trust.
import type { MemberId } from '../../proto/ids.js';
import type { Verdict } from '../../proto/messages.js';
import type { Actor, Heard } from '../actor.js';
import { type Chart, startChart } from '../chart.js';
import { Directory } from '../directory.js';
import { type Effect, note, send } from '../effects.js';
import { peerMachine } from '../peer/peer.machine.js';
import { Suspicion, type SuspicionSettings } from '../peer/suspicion.js';

interface Peer {
  readonly chart: Chart;
  suspicion: Suspicion;
}

export class Health implements Actor {
  readonly hears: ReadonlySet<Heard['type']> = new Set<Heard['type']>([
    'peer.beat',
    'worker.exited',
    'link.opened',
    'link.lost',
    'timer.fired',
  ]);
  private readonly peers = new Map<MemberId, Peer>();
  private readonly links = new Directory();
  private readonly self: MemberId;
  private readonly settings: SuspicionSettings;
  private lastTickAt = Number.NaN;
  private out: Effect[] = [];

  constructor(self: MemberId, settings: SuspicionSettings) {
    this.self = self;
    this.settings = settings;
  }

  receive(heard: Heard, from: MemberId, now: number): Effect[] {
    switch (heard.type) {
      case 'peer.beat':
        this.beat(from, heard.sequence, heard.intervalMs);
        break;
      case 'link.opened':
        this.open(heard.member, heard.roles, now);
        break;
      case 'link.lost':
        this.lose(heard.member);
        break;
      case 'worker.exited':
        this.peers.get(heard.worker)?.chart.move('lose');
        break;
      case 'timer.fired':
        if (heard.timer === 'watch') this.watch(now);
        break;
    }
    const effects = this.out;
    this.out = [];
    return effects;
  }

  /** For how long nothing has been heard of it; undefined of whom this one does not watch. */
  silenceOf(member: MemberId): number | undefined {
    return this.peers.get(member)?.suspicion.silence;
  }

  state(member: MemberId): string | undefined {
    return this.peers.get(member)?.chart.state;
  }

  private open(member: MemberId, roles: Parameters<Directory['open']>[1], now: number): void {
    this.links.open(member, roles);
    if (member === this.self) return;
    const known = this.peers.get(member);
    if (known === undefined) {
      this.peers.set(member, { chart: startChart(peerMachine), suspicion: new Suspicion(this.settings) });
    } else if (known.chart.can('open')) {
      known.chart.move('open');
      known.suspicion = new Suspicion(this.settings);
    }
    // Who is new here should know whom not to trust.
    const isTold = !roles.includes('health');
    for (const [other, peer] of isTold ? this.peers : []) {
      const { state } = peer.chart;
      if (state === 'suspect' || state === 'down')
        this.tell([member], other, state, 'known before this link');
    }
    if (!Number.isNaN(this.lastTickAt)) return;
    this.lastTickAt = now;
    this.out.push({ type: 'arm', timer: 'watch', at: now + this.settings.tickMs });
  }

  private lose(member: MemberId): void {
    this.links.close(member);
    this.peers.get(member)?.chart.move('lose');
    // An incarnation never comes back after its process is gone; only a link does, and that opens anew.
    this.peers.delete(member);
  }

  private beat(member: MemberId, sequence: number, intervalMs: number): void {
    const peer = this.peers.get(member);
    if (peer === undefined || !peer.chart.can('beat') || !peer.suspicion.beat(sequence, intervalMs)) return;
    const before = peer.chart.state;
    if (!peer.chart.move('beat')) return;
    if (before !== 'awaited') return this.judge(member, 'trusted', 'its beats are back');
    // An earlier link, or health before this one, may have left others with worse word of it.
    this.tell(this.listeners(), member, 'trusted', 'its first beat has come');
  }

  private watch(now: number): void {
    const elapsedMs = now - this.lastTickAt;
    this.lastTickAt = now;
    this.out.push({ type: 'arm', timer: 'watch', at: now + this.settings.tickMs });
    for (const [member, peer] of this.peers) {
      if (peer.chart.state === 'gone') continue;
      peer.suspicion.pass(elapsedMs);
      const phi = peer.suspicion.phi();
      const reason = `silent for ${Math.round(peer.suspicion.silence)} ms (phi ${phi.toFixed(1)})`;
      if (phi >= this.settings.suspectPhi && peer.chart.move('doubt')) this.judge(member, 'suspect', reason);
      if (phi >= this.settings.downPhi && peer.chart.can('condemn') && peer.chart.move('condemn')) {
        this.judge(member, 'down', reason);
      }
    }
  }

  private judge(member: MemberId, verdict: Verdict, reason: string): void {
    this.out.push(note(verdict === 'trusted' ? 'info' : 'warn', 'peer.judged', { member, verdict, reason }));
    this.tell(this.listeners(), member, verdict, reason);
  }

  /** Whoever watches for himself is told nothing: he knows better whom he can reach. */
  private listeners(): MemberId[] {
    const watchers = this.links.with('health');
    return this.links
      .withAny('router', 'scheduler', 'host')
      .filter((member) => member === this.self || !watchers.includes(member));
  }

  private tell(listeners: readonly MemberId[], member: MemberId, verdict: Verdict, reason: string): void {
    for (const listener of listeners) {
      if (listener !== member)
        this.out.push(send(listener, { type: 'peer.judged', member, verdict, reason }));
    }
  }
}
