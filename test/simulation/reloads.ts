// Models that are listed anew while they are asked: another edition is loaded beside the one that serves, takes over once
// every router sees it ready, and the old one is listed no more.
import type { ListedModel } from '../../actors/facts.js';
import { Router } from '../../actors/router/router.js';
import type { Process } from './process.js';
import type { Random } from './random.js';
import type { Scenario } from './scenario.js';
import type { Timeline } from './timeline.js';

const lookMs = 5;
const wayMostMs = 20;

interface World {
  readonly timeline: Timeline;
  readonly scenario: Scenario;
  with(role: 'router' | 'worker' | 'host' | 'scheduler'): Process[];
  happened(event: string): void;
}

export class Reloads {
  private readonly world: World;
  private readonly random: Random;
  private readonly serving = new Map<string, string>();
  private readonly coming = new Map<string, string>();
  /** The edition that a model's files are now. */
  private readonly written = new Map<string, string>();
  private count = 0;

  constructor(world: World, random: Random) {
    this.world = world;
    this.random = random;
  }

  begin(): void {
    for (const { at, model } of this.world.scenario.reloads)
      this.world.timeline.at(at, () => this.reload(model));
  }

  /** Of a model, as clients get it now. */
  edition(model: string): string {
    return this.serving.get(model) ?? '1';
  }

  isWritten(model: string, edition: string): boolean {
    return (this.written.get(model) ?? '1') === edition;
  }

  forRouters(): ListedModel[] {
    return this.listed((model) => [this.edition(model)]);
  }

  forWorkers(): ListedModel[] {
    return this.listed((model) => {
      const coming = this.coming.get(model);
      return coming === undefined ? [this.edition(model)] : [this.edition(model), coming];
    });
  }

  private listed(editionsOf: (model: string) => readonly string[]): ListedModel[] {
    const { models, room } = this.world.scenario;
    return models.flatMap(({ model, runMaxMs, batching }) =>
      editionsOf(model).map((version) => {
        const usual = room.demanded.includes(model) ? 'demand' : 'start';
        const load = version === this.coming.get(model) ? 'now' : usual;
        const memoryMb = room.costMb[model] ?? 0;
        return { model, version, broken: '', runMaxMs, batching, load, memoryMb } as const;
      }),
    );
  }

  private reload(model: string): void {
    if (this.coming.has(model)) return;
    this.coming.set(model, `1+${++this.count}`);
    this.written.set(model, this.coming.get(model) as string);
    this.world.happened(`reload ${model} as ${this.coming.get(model)}`);
    this.tellWorkers();
    this.look(model);
  }

  private look(model: string): void {
    const edition = this.coming.get(model) as string;
    const routers = this.world.with('router').flatMap(({ residents }) => residents.map(({ inner }) => inner));
    const seen = routers.filter((actor) => actor instanceof Router);
    const isReady = seen.every((router) => {
      const { ready, loading } = router.condition(model, edition);
      return ready > 0 && loading === 0;
    });
    if (!isReady || seen.length === 0) {
      this.world.timeline.after(lookMs, () => this.look(model));
      return;
    }
    this.world.happened(`${model} is ${edition} now`);
    this.serving.set(model, edition);
    this.coming.delete(model);
    for (const router of this.world.with('router'))
      router.hear({ type: 'models.listed', models: this.forRouters() });
    this.tellWorkers();
  }

  /** Each hears what there is when it hears it. */
  private tellWorkers(): void {
    for (const worker of this.world.with('worker'))
      this.world.timeline.after(this.random.between(0.1, wayMostMs), () => {
        if (worker.alive) worker.hear({ type: 'models.listed', models: this.forWorkers() });
      });
  }
}
