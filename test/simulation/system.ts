// A whole system of real actors in virtual time: processes on their nodes, the network between them, executors, what
// clients bring and what goes wrong. It carries out effects as the runtime does and checks every step.

import { startChart } from '../../actors/chart.js';
import type { Effect } from '../../actors/effects.js';
import { Health } from '../../actors/health/health.js';
import { Duty, type Left } from '../../actors/node/duty.js';
import { nodeMachine } from '../../actors/node/node.machine.js';
import { Pulse } from '../../actors/peer/pulse.js';
import { Router } from '../../actors/router/router.js';
import { Scheduler } from '../../actors/scheduler/scheduler.js';
import { Supervisor } from '../../actors/supervisor/supervisor.js';
import { Worker } from '../../actors/worker/worker.js';
import type { MemberId } from '../../proto/ids.js';
import type { Cause, Message } from '../../proto/messages.js';
import { shardOf } from '../../proto/ownership.js';
import { type Bug, withBug } from './bug.js';
import { checkResident, payloadBytesMax, queueBytesMax } from './checks.js';
import { Excuses } from './excuses.js';
import { Executor } from './executor.js';
import { Network } from './network.js';
import {
  type Delivery,
  noTokens,
  Process,
  type Resident,
  type Surroundings,
  type Tokens,
} from './process.js';
import { Random } from './random.js';
import { Reloads } from './reloads.js';
import { type NodePlan, type Scenario, tags } from './scenario.js';
import { Timeline } from './timeline.js';
import { Town } from './town.js';
import type { Trace } from './trace.js';
import { Truth } from './truth.js';
import { require } from './violation.js';
import { Witness } from './witness.js';

const beatMs = 30;
const suspicion = {
  tickMs: 15,
  suspectPhi: 1.2,
  downPhi: 2,
  gapLeastMs: 30,
  gapMostMs: 42,
  firstBeatMs: 250,
};
const hungKillMs = 150;
const restart = {
  restartsMax: 60,
  windowMs: 30_000,
  backoffFirstMs: 5,
  backoffMostMs: 60,
  usefulAfterMs: 60,
};
const reportMs = 50;
const reconcileMs = 100;
const retireQuietMs = 150;
const laneKeptMs = 300;
const goWaitMs = 60;
const runMaxMs = 100;
const shownMs = 20;
/** Longer than a run may take: what hangs is ended before. */
const dismissalMs = 250;
/** How long a node waits for word of its worker's exit before it tells that the link was lost. */
const exitWordMs = 25;
/** From a node to its worker process. */
const wordMs = 0.5;
/** Every so many seeds all words are checked by the rules of the wire. */
const wordsEvery = 16;

interface Child {
  readonly process: Process;
  readonly slot: number;
}

export class System implements Surroundings {
  readonly timeline = new Timeline();
  readonly scenario: Scenario;
  readonly truth: Truth;
  readonly network: Network;
  readonly trace: Trace;
  readonly processes = new Map<MemberId, Process>();
  private readonly witness: Witness;
  private readonly random: Random;
  private readonly bug: Bug | undefined;
  private readonly executors = new Map<MemberId, Executor>();
  private readonly children = new Map<MemberId, Child[]>();
  private readonly parents = new Map<MemberId, Process>();
  /** Nodes whose workers are to stand by, and the workers that have said that they do. */
  private readonly away = new Set<Process>();
  private readonly vacant = new Set<Process>();
  private readonly plans = new Map<MemberId, NodePlan>();
  private readonly touched = new Set<Resident>();
  readonly reloads: Reloads;
  readonly excuses = new Excuses(this);
  /** Where nodes find each other by NATS. */
  readonly town: Town | undefined;
  private incarnation = 0;
  /** By name of worker: how many more of its processes are sick. */
  readonly sickened = new Map<string, number>();

  constructor(scenario: Scenario, trace: Trace, bug: Bug | undefined) {
    this.scenario = scenario;
    this.trace = trace;
    this.bug = bug;
    this.truth = new Truth(scenario);
    this.witness = new Witness(this.truth, scenario.seed % wordsEvery === 0);
    const random = new Random(scenario.seed ^ 0x5bd1e995);
    this.random = random.fork(1);
    this.network = new Network(this.timeline, random.fork(2), scenario.network, {
      happened: (event) => this.happened(event),
      nodeOf: (process) => this.parents.get(process.id)?.id ?? '',
      lossHeldMs: (process, lost) => (this.parents.get(lost.id) === process ? exitWordMs : 0),
    });
    this.reloads = new Reloads(this, random.fork(3));
    const { cluster } = scenario;
    const models = scenario.models.map(({ model }) => shardOf(model, '1'));
    this.town = cluster && new Town(this, cluster, models, random.fork(4), bug);
  }

  happened(event: string): void {
    this.trace.happened(this.timeline.now, event);
  }

  with(role: 'router' | 'scheduler' | 'worker' | 'host'): Process[] {
    return [...this.processes.values()].filter((process) => process.roles.includes(role));
  }

  workersOf(node: Process): Process[] {
    return (this.children.get(node.id) ?? []).map(({ process }) => process).filter(({ alive }) => alive);
  }

  executorOf(worker: MemberId): Executor | undefined {
    return this.executors.get(worker);
  }

  parentOf(worker: MemberId): Process | undefined {
    return this.parents.get(worker);
  }

  startNode(plan: NodePlan): Process {
    const process = this.process(plan.name, plan.roles);
    this.plans.set(process.id, plan);
    const { id, roles } = process;
    const { now } = this.timeline;
    if (roles.includes('router')) {
      const { jobsMax, lossesMax, retries, hedgeShare, sharersMax } = this.scenario;
      const limits = { jobsMax, payloadBytesMax, lossesMax, joinBytesMax: 300, hedgeShare, sharersMax };
      const router = new Router({ ...limits, ...retries }, now);
      process.add('router', withBug(router, 'router', id, this.bug), router);
    }
    if (roles.includes('scheduler')) {
      const { queueDepthMax: depthMax, choice } = this.scenario;
      const scheduler = new Scheduler({
        lane: { depthMax, bytesMax: queueBytesMax },
        choice,
        admission: true,
        reconcileMs,
        retireQuietMs,
        wakeAgainMs: reportMs,
        laneKeptMs,
      });
      process.add('scheduler', withBug(scheduler, 'scheduler', id, this.bug), scheduler);
    }
    if (roles.includes('health')) process.add('health', new Health(id, suspicion));
    if (roles.includes('host')) {
      const supervisor = new Supervisor({ names: plan.workers, restart, hungKillMs });
      const resident = process.add('supervisor', supervisor);
      this.timeline.after(1, () => process.begin(resident, supervisor.begin()));
    }
    const chart = startChart(nodeMachine);
    while (chart.can('done')) chart.move('done');
    process.add('duty', new Duty(chart, () => this.leftAt(process)));
    this.join(process);
    this.town?.addNode(process, plan);
    process.hear({ type: 'link.opened', member: id, roles });
    process.hear({ type: 'models.listed', models: this.reloads.forRouters() });
    return process;
  }

  /** Ends a process at once. Its children go with it, and whoever keeps it starts it again. */
  end(process: Process, cause: Cause, detail: string): void {
    if (!process.alive) return;
    this.happened(`end ${process.id} ${cause}`);
    process.end();
    this.town?.left(process);
    this.processes.delete(process.id);
    const parent = this.parents.get(process.id);
    const child = this.children.get(parent?.id ?? '')?.find((other) => other.process === process);
    this.network.leave(process, parent, () => {
      if (parent === undefined || child === undefined) return;
      const { slot } = child;
      parent.hear({ type: 'child.exited', slot, member: process.id, cause, detail });
    });
    for (const { process: orphan } of this.children.get(process.id) ?? []) {
      this.timeline.after(this.random.between(0.1, 3), () => {
        if (orphan.alive) this.truth.excuse(orphan.id);
        this.end(orphan, 'killed', 'its node is gone');
      });
    }
  }

  planOf(node: Process): NodePlan | undefined {
    return this.plans.get(node.id);
  }

  /** Nothing is sick any more. */
  cure(): void {
    this.sickened.clear();
    for (const process of this.processes.values()) {
      process.hasBeenSick ||= process.sick;
      process.sick = false;
    }
  }

  timerNoiseMs(): number {
    return this.random.between(-0.8, 1.2);
  }

  send(from: Process, to: MemberId, message: Message, outputsOf: string): void {
    this.network.send(from, to, message, this.tokensOf(from, message, outputsOf));
  }

  received(process: Process, message: Message, tokens: Tokens): void {
    if (tokens.length > 0) this.executors.get(process.id)?.keep(message, tokens);
  }

  observe(process: Process, resident: Resident, delivery: Delivery, effects: readonly Effect[]): void {
    const { now } = this.timeline;
    this.trace.heard(now, process.id, resident.name, delivery.heard, delivery.from, effects);
    this.witness.observe(process, resident, delivery, effects, now);
    this.touched.add(resident);
  }

  settled(process: Process): void {
    for (const resident of this.touched) checkResident(process, resident, this.scenario);
    this.touched.clear();
  }

  perform(process: Process, effect: Exclude<Effect, { type: 'send' | 'arm' | 'disarm' | 'settle' }>): void {
    const executor = this.executors.get(process.id);
    switch (effect.type) {
      case 'reply':
        return this.excuses.note(this.truth.job(process.id, effect.job));
      case 'note':
      case 'moved':
      case 'leave':
      case 'ordered':
        return;
      case 'vacated':
        return void (effect.vacant ? this.vacant.add(process) : this.vacant.delete(process));
      case 'vacate':
        return this.vacate(process, effect.away);
      case 'load':
        return executor?.load(effect.model, effect.version);
      case 'unload':
        return executor?.unload(effect.model, effect.version);
      case 'run':
        return executor?.run(effect);
      case 'probe':
        return executor?.probe(effect.models);
      case 'forget':
        return executor?.forget(effect.key);
      case 'spawn':
        return this.spawn(process, effect.slot, effect.name);
      case 'kill': {
        const child = this.childOf(process, effect.slot);
        if (child !== undefined) this.endSoon(child, 'killed', effect.reason);
        return;
      }
      case 'abort': {
        if (effect.cause === 'stopped') {
          require(process.sick || process.hasBeenSick || this.isLeaving(process), 'I13', () =>
            `${process.id} ends itself, though it is well: ${effect.reason}`);
          return this.endSoon(process, 'stopped', effect.reason);
        }
        const job = this.truth.hanging.get(process.id);
        require(job !== undefined || executor?.wasHeldUp === true, 'I7', () =>
          `${process.id} aborts, though nothing hangs: ${effect.reason}`);
        if (job !== undefined) this.truth.killed(job, process.id);
        return this.endSoon(process, 'hung', effect.reason);
      }
      case 'stopped':
        return this.dismiss(process);
    }
  }

  private vacate(node: Process, away: boolean): void {
    const type = away ? 'vacancy.requested' : 'return.requested';
    if (away) this.away.add(node);
    else this.away.delete(node);
    for (const { process } of this.children.get(node.id) ?? [])
      this.timeline.after(wordMs, () => process.hear({ type }));
  }

  private leftAt(node: Process): Left {
    const left = { requests: 0, waiting: 0, workers: 0 };
    for (const { inner } of node.residents) {
      if (inner instanceof Router) left.requests = inner.liveJobs;
      else if (inner instanceof Scheduler) left.waiting = inner.waitingJobs;
    }
    for (const { process } of this.children.get(node.id) ?? [])
      if (process.alive && this.vacant.has(process) !== this.away.has(node)) left.workers++;
    return left;
  }

  /** A node that has drained asks its workers to stop, and goes when the last of them has gone or their time is up. */
  private dismiss(process: Process): void {
    const workers = (this.children.get(process.id) ?? []).map((child) => child.process);
    for (const worker of workers) if (worker.alive) worker.hear({ type: 'drain.requested' });
    const until = this.timeline.now + dismissalMs;
    const wait = (): void => {
      if (this.timeline.now < until && workers.some(({ alive }) => alive)) this.timeline.after(1, wait);
      else if (this.town === undefined) this.endSoon(process, 'stopped', 'drained');
      else this.town.leave(process, () => this.endSoon(process, 'stopped', 'drained'));
    };
    wait();
  }

  private endSoon(process: Process, cause: Cause, detail: string): void {
    this.timeline.after(this.random.between(0.1, 1), () => this.end(process, cause, detail));
  }

  private process(name: string, roles: Process['roles']): Process {
    const process = new Process(`${name}.${(++this.incarnation).toString(36)}`, roles, this);
    process.add('pulse', new Pulse(process.id, beatMs));
    this.processes.set(process.id, process);
    return process;
  }

  /** Links it to everybody, where nobody has to find anybody; workers have nothing to say to each other. */
  private join(process: Process): void {
    if (this.town !== undefined) return;
    for (const other of this.processes.values()) {
      if (other === process || (isWorker(other) && isWorker(process))) continue;
      this.network.connect(process, other);
    }
  }

  private spawn(host: Process, slot: number, name: string): void {
    const worker = this.process(name, ['worker']);
    const { id } = worker;
    const running = this.children.get(host.id)?.filter((child) => child.slot !== slot) ?? [];
    this.children.set(host.id, [...running, { process: worker, slot }]);
    this.parents.set(id, host);
    worker.sick = this.isSickAgain(name);
    const credits = this.scenario.credits;
    const introduction = { name, device: 'simulated', tags: tags[name] ?? [], credits };
    const { memoryMb } = this.scenario.room;
    const room = { memoryMb, wishKeptMs: 5 * reportMs, firstUseMs: 20 };
    const actor = new Worker({ ...introduction, reportMs, goWaitMs, runMaxMs, shownMs, ...room });
    worker.add('worker', withBug(actor, 'worker', id, this.bug), actor);
    const ends = {
      crash: (process: Process, detail: string) => this.end(process, 'crashed', detail),
      isWritten: (model: string, edition: string) => this.reloads.isWritten(model, edition),
    };
    const random = this.random.fork(this.incarnation);
    this.executors.set(id, new Executor(worker, name, this.timeline, random, this.truth, ends));
    host.hear({ type: 'child.spawned', slot, member: id });
    if (this.away.has(host)) worker.hear({ type: 'vacancy.requested' });
    this.timeline.after(this.random.between(2, 20), () => {
      if (!worker.alive) return;
      this.join(worker);
      this.town?.addWorker(worker, host);
      worker.hear({ type: 'models.listed', models: this.reloads.forWorkers() });
    });
  }

  /** A device may need more than a fresh process to recover. */
  private isSickAgain(name: string): boolean {
    const before = this.sickened.get(name) ?? 0;
    if (before === 0) return false;
    this.sickened.set(name, before - 1);
    return true;
  }

  private isLeaving({ residents }: Process): boolean {
    return residents.some(({ inner }) => inner instanceof Worker && inner.chart.has('draining'));
  }

  private childOf(host: Process, slot: number): Process | undefined {
    return this.children.get(host.id)?.find((child) => child.slot === slot && child.process.alive)?.process;
  }

  private tokensOf(from: Process, message: Message, outputsOf: string): Tokens {
    if (message.type === 'batch.run') {
      return message.jobs.flatMap((job, member) =>
        this.truth.tokensOf(from.id, job, message.rows[member] as number),
      );
    }
    if (message.type !== 'batch.finished') return noTokens;
    return this.executors.get(from.id)?.outputsOf(outputsOf) ?? noTokens;
  }
}

function isWorker(process: Process): boolean {
  return process.roles.includes('worker');
}
