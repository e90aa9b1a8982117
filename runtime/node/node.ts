// A node: the process that people start. It brings up its stages in order (see actors/node/node.machine.ts), serves, and
// goes down in the opposite order without losing what it had taken.
import { startChart } from '../../actors/chart.js';
import { Health } from '../../actors/health/health.js';
import { Completeness } from '../../actors/node/completeness.js';
import { nodeMachine } from '../../actors/node/node.machine.js';
import { coverTimer, Router } from '../../actors/router/router.js';
import { Scheduler } from '../../actors/scheduler/scheduler.js';
import { Supervisor } from '../../actors/supervisor/supervisor.js';
import { memberId } from '../../proto/ids.js';
import { after, now, pause } from '../clock.js';
import type { Config } from '../config/schema.js';
import { KeyKeeper } from '../keys/keeper.js';
import type { Log } from '../log.js';
import type { Shelf } from '../models/shelf.js';
import { ModelWatch } from '../models/watch.js';
import type { Pipelines } from '../pipelines/pipelines.js';
import { Children, type Exit } from '../supervise/children.js';
import type { NodeWord } from '../worker/order.js';
import { createPipelines } from './behind.js';
import { Catalogue } from './catalogue.js';
import { Company } from './company.js';
import { Duties } from './duties.js';
import { NodeEngine } from './engine.js';
import { Entrance } from './entrance.js';
import { watchJoining } from './joining.js';
import { Keeper } from './keeper.js';
import { listedModels } from './listed.js';
import { MemberProcess } from './member.js';
import { clusterView, lostIn } from './neighbours.js';
import { incarnation, type Plan } from './plan.js';
import { conditionOf } from './readiness.js';
import { readCatalogue, shelfOf } from './reading.js';
import {
  doorOptions,
  routerLimits,
  schedulerSettings,
  supervisorSettings,
  suspicionSettings,
  workerOrder,
} from './wiring.js';

const lingerMs = 300;
/** What may change whether the node or one of its models is ready. */
const readinessFacts = [
  'model.reported',
  'models.listed',
  'link.opened',
  'link.lost',
  'peer.judged',
  'owners.told',
  'owners.listed',
  'drain.requested',
  'timer.fired',
] as const;

export class Node {
  readonly chart = startChart(nodeMachine);
  private readonly config: Config;
  private readonly plan: Plan;
  private readonly log: Log;
  private readonly children: Children;
  private readonly keys: KeyKeeper;
  private readonly supervisor: Supervisor;
  private readonly shelf: Shelf;
  private catalogue = new Catalogue([]);
  private keeper: Keeper | undefined;
  private watch: ModelWatch | undefined;
  private member: MemberProcess | undefined;
  private readonly company: Company;
  private readonly duties: Duties;
  private scheduler: Scheduler | undefined;
  private health: Health | undefined;
  private engine: NodeEngine | undefined;
  private pipelines: Pipelines | undefined;
  private readonly entrance: Entrance;
  private routerDrained: () => void = () => {};
  private starting: Promise<void> = Promise.resolve();
  private stopping: Promise<void> | undefined;
  private drainUntil = 0;

  constructor(config: Config, plan: Plan, log: Log) {
    this.config = config;
    this.plan = plan;
    this.log = log;
    this.children = new Children(
      (exit) => this.childExited(exit),
      (model) => void this.keeper?.outdated(model),
    );
    this.keys = new KeyKeeper(config, plan.pair, log, (word) => this.children.tell(word));
    this.shelf = shelfOf(config, log);
    this.supervisor = new Supervisor(supervisorSettings(config, plan.workerNames));
    this.entrance = new Entrance(config, log);
    this.duties = new Duties({
      chart: this.chart,
      children: this.children,
      left: () => ({
        requests: (this.engine?.liveJobs ?? 0) + (this.pipelines?.live ?? 0),
        waiting: this.scheduler?.waitingJobs ?? 0,
        uncovered: () => this.company.uncovered,
      }),
      patienceMs: config.drainMs,
    });
    const { children, shelf, duties } = this;
    const state = () => duties.state;
    this.company = new Company({ config, plan, log, children, shelf, state, member: () => this.member });
  }

  /** Resolves when it serves; rejects with a sentence, after taking back what had been started. */
  start(): Promise<void> {
    this.starting = this.bringUp();
    return this.starting;
  }

  private async bringUp(): Promise<void> {
    const stages = [
      () => this.read(),
      () => this.bind(),
      () => this.decide(),
      () => this.staff(),
      () => this.open(),
    ];
    for (const stage of stages) {
      try {
        await stage();
        this.chart.move('done');
      } catch (fault) {
        this.chart.move('fail');
        await this.goDown();
        throw fault;
      }
    }
    this.duties.tell();
    if (this.plan.serves.has('router')) void this.keeper?.reviewSteps();
  }

  /** Once, when every model that can be served is. */
  onReady(run: () => void): void {
    const engine = this.engine as NodeEngine;
    const stop = engine.onReadiness(() => look());
    const look = (): void => {
      if (!engine.ready()) return;
      stop();
      run();
    };
    look();
  }

  /** Where it can be reached and what it serves, for the person who started it. */
  about(): string {
    const names = new Set(this.catalogue.models.map((model) => model.name));
    return `${this.entrance.about()}; models ${[...names].join(', ')}`;
  }

  /** Drains and ends; calling it again waits for the same end. */
  stop(): Promise<void> {
    this.company.hurry();
    this.stopping ??= this.drainAndEnd();
    return this.stopping;
  }

  private async read(): Promise<void> {
    this.watch = this.config.watchModels ? this.watcher() : undefined;
    await this.watch?.remember();
    this.catalogue = await readCatalogue(this.config, this.shelf, this.log);
  }

  private async bind(): Promise<void> {
    const { plan, chart, duties, children } = this;
    const { self, bind } = plan;
    const completeness = new Completeness();
    await this.entrance.openHealth(() =>
      conditionOf({ chart, duties, plan, member: this.member, engine: this.engine, children, completeness }),
    );
    this.keys.start();
    const router = new Router(routerLimits(this.config), now());
    this.engine = new NodeEngine(self.id, router, this.catalogue, this.config.jobsKeptMax);
    const engine = this.engine;
    this.member = new MemberProcess({
      self,
      membership: this.company.enter(this.catalogue, engine),
      cluster: this.config.cluster,
      keys: this.keys.ring,
      beatMs: this.config.beatMs,
      log: this.log,
      payloadOf: (message) => engine.frames(message),
      // Of a worker of this node its exit tells more than a lost link, and comes as soon.
      expectsWord: (member) => this.children.has(member),
      performers: {
        reply: (effect, occasion) => engine.reply(effect, occasion),
        spawn: ({ slot, name }) => this.spawn(slot, name),
        kill: ({ slot, reason }) => {
          this.log.warn('worker.killed', { slot, reason });
          this.children.kill(slot);
        },
        stopped: () => this.routerDrained(),
        ...this.duties.performers,
      },
    });
    engine.attach(this.member.host);
    const { member } = this;
    const { presence } = this.company;
    const { orders, warden } = this.duties.attach(member, engine, presence, this.config, self.id);
    engine.attachCluster(() => {
      const { health, keys } = this;
      const eyes = { warden, presence, health, keys: keys.ring };
      return { ...clusterView(this.config.cluster, self.id, member, router, eyes), ...lostIn(engine.supply) };
    }, orders);
    this.pipelines = createPipelines(engine, this.config, doorOptions(this.config));
    engine.attachPipelines(this.pipelines);
    this.keeper = this.keeperWith(router);
    engine.attachKeeper(this.keeper, this.config.modelControl);
    await this.company.share(this.catalogue, this.keeper, engine);
    this.member.host.watch(readinessFacts, (heard) => {
      if (heard.type === 'timer.fired' && heard.timer !== coverTimer) return;
      this.keeper?.review();
      engine.readinessChanged();
    });
    if (this.plan.serves.has('router')) this.member.add('router', router);
    if (bind === '') return;
    const endpoint = await this.member.office.bind(bind);
    this.log.info('post.bound', { endpoint });
  }

  private async decide(): Promise<void> {
    const member = this.member as MemberProcess;
    const { serves, self, join } = this.plan;
    if (serves.has('scheduler')) this.scheduler = new Scheduler(schedulerSettings(this.config));
    if (this.scheduler !== undefined) member.add('scheduler', this.scheduler);
    if (serves.has('health')) this.health = new Health(self.id, suspicionSettings(this.config));
    if (this.health !== undefined) member.add('health', this.health);
    if (serves.has('worker')) member.add('supervisor', this.supervisor);
    this.announce();
    member.begin();
    for (const endpoint of join) member.join(endpoint);
    await this.company.start();
    const isAlone = this.company.presence === undefined;
    const calls = isAlone ? join.length > 0 : self.endpoint === '';
    const { nats, cluster } = this.config;
    const where = isAlone ? join.join(', ') : nats;
    if (calls) watchJoining(member, this.chart, this.log, where, cluster);
  }

  private keeperWith(router: Router): Keeper {
    return new Keeper(this.catalogue, {
      shelf: this.shelf,
      log: this.log,
      atOnce: !this.plan.serves.has('router'),
      conditionOf: (name, edition) => router.condition(name, edition),
      forgive: (key) => this.children.forgive(key),
      announce: () => this.announce(),
    });
  }

  private watcher(): ModelWatch {
    return new ModelWatch({
      folder: this.config.models,
      intervalMs: this.config.watchIntervalMs,
      log: this.log,
      changed: async (name) => this.keeper?.changed(name),
      removed: async (name) => this.keeper?.removed(name),
    });
  }

  private announce(): void {
    const models = listedModels({ models: this.catalogue.listed() }, this.config.runLongestMs);
    this.member?.host.hear({ type: 'models.listed', models });
    this.children.tell(this.modelsWord());
  }

  private modelsWord(): NodeWord {
    return { type: 'models', models: this.catalogue.wanted() };
  }

  private staff(): void {
    if (!this.plan.serves.has('worker')) return;
    this.member?.host.perform('supervisor', this.supervisor.begin());
  }

  private async open(): Promise<void> {
    this.watch?.begin();
    if (!this.plan.serves.has('router')) return;
    await this.entrance.open(this.engine as NodeEngine);
  }

  private spawn(slot: number, name: string): void {
    const member = memberId(name, incarnation());
    const join = this.plan.bind === '' ? this.plan.join : [this.plan.bind];
    const order = workerOrder(this.config, slot, { member, name, host: this.plan.self.id, join });
    this.children.spawn(slot, order, [...this.keys.words(), this.modelsWord(), ...this.company.words()]);
    this.member?.host.hear({ type: 'child.spawned', slot, member });
  }

  private childExited(exit: Exit): void {
    this.member?.host.hear({ type: 'child.exited', ...exit });
    this.member?.tellLoss(exit.member, exit.detail);
  }

  private async drainAndEnd(): Promise<void> {
    // Asked to stop while it starts: it starts, then stops. A start that failed has gone down already.
    await this.starting.catch(() => {});
    if (!this.chart.has('serving')) return;
    this.chart.move('stop');
    this.watch?.stop();
    this.log.info('node.draining', {});
    this.duties.tell();
    const leave = this.company.takeLeave(this.config.drainMs);
    this.entrance.part();
    const { lameDuckMs } = this.config;
    if (lameDuckMs > 0 && this.plan.serves.has('router')) await pause(lameDuckMs);
    this.drainUntil = now() + this.config.drainMs;
    await this.entrance.shut(this.config.drainMs);
    this.engine?.close();
    // What its steps still make of a request are new jobs to the router.
    await this.pipelines?.drain(Math.max(0, this.drainUntil - now()));
    if (this.plan.serves.has('router')) await this.drainRouter();
    await leave;
    this.chart.move('done');
    await this.goDown();
  }

  /** Nothing new is taken; resolves when the last job has ended, or when the patience for that has. */
  private drainRouter(): Promise<void> {
    const leftMs = this.drainUntil - now();
    return new Promise((resolve) => {
      const late = after(leftMs, () => {
        this.log.warn('node.drainedLate', { drainMs: this.config.drainMs });
        this.member?.host.hear({ type: 'drain.spent' });
        resolve();
      });
      this.routerDrained = () => {
        late.cancel();
        resolve();
      };
      this.member?.host.hear({ type: 'drain.requested' });
    });
  }

  /** Back through the stages from where the chart is now. */
  private async goDown(): Promise<void> {
    if (this.chart.state === 'closing') {
      // A slow client may take for its answer what is left of the patience.
      const graceMs = Math.max(lingerMs, this.drainUntil - now());
      await this.entrance.close(graceMs);
      this.chart.move('done');
    }
    if (this.chart.state === 'dismissing') {
      if (!this.plan.serves.has('router')) this.member?.host.hear({ type: 'drain.requested' });
      await this.children.drain(this.config.drainMs);
      this.chart.move('done');
    }
    if (this.chart.state === 'unbinding') {
      await this.pipelines?.close();
      await this.company.stop();
      await this.member?.close(lingerMs);
      await this.entrance.closeHealth();
      this.chart.move('done');
    }
    this.log.info('node.stopped', {});
  }
}
