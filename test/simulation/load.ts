// What is done to a simulated system from outside: its clients bring jobs, call them off and watch for their ends; faults
// strike and pass; at the end healthy jobs show whether the capacity is back.
import type { Heard } from '../../actors/actor.js';
import { jobBytes } from './checks.js';
import type { Process } from './process.js';
import type { FaultPlan, JobPlan } from './scenario.js';
import { phases } from './scenario.js';
import type { System } from './system.js';
import { identityOf, name, type TrueJob } from './truth.js';
import { require } from './violation.js';

/** A timer may be late by that much, rounding included, and nobody unanswered for longer. */
const lateMost = 3;

export class Clients {
  private readonly system: System;
  private readonly numbers = new Map<Process, number>();

  constructor(system: System) {
    this.system = system;
  }

  submit(plan: JobPlan, router: Process, probe: boolean): void {
    const { timeline, truth } = this.system;
    const number = (this.numbers.get(router) ?? 0) + 1;
    this.numbers.set(router, number);
    const job = truth.submit(router, number, plan, timeline.now, probe);
    const { rows, shapeKey, priority, budgetMs, model, cancelAfterMs } = plan;
    const submitted: Heard = {
      type: 'job.submitted',
      job: number,
      spec: {
        model: model.model,
        version: this.system.reloads.edition(model.model),
        rows,
        shapeKey,
        inputs: [{ name: 'rows', datatype: 'FP32', shape: [rows] }],
        outputs: [],
        bytes: rows * jobBytes,
        priority,
        budgetMs,
        idempotent: model.idempotent,
        identity: identityOf(plan),
        hedge: model.hedge,
      },
    };
    router.hear(submitted);
    if (job.ending !== '') return;
    if (plan.twice) timeline.after(0.5, () => this.again(job, submitted));
    this.watch(job, lateMost);
    if (!Number.isNaN(cancelAfterMs)) timeline.after(cancelAfterMs, () => this.cancel(job));
  }

  private again(job: TrueJob, submitted: Heard): void {
    const { alive, frozen } = job.router;
    // Of who has ended nothing is kept: by then its door gives the number to nobody else.
    if (job.told && job.ending === '' && alive && !frozen) job.router.hear(submitted);
  }

  private cancel(job: TrueJob): void {
    if (job.ending !== '' || !job.router.alive) return;
    job.cancelled = true;
    job.router.hear({ type: 'job.cancelled', job: job.number, why: 'the client went away' });
  }

  private watch(job: TrueJob, marginMs: number): void {
    const { timeline } = this.system;
    timeline.at(job.deadline + marginMs, () => {
      const { alive, frozen, resumedAt } = job.router;
      if (job.ending !== '' || !alive) return;
      // A router that is frozen can't answer; it must as soon as it goes on.
      if (frozen || timeline.now - Math.max(resumedAt, job.deadline) < lateMost)
        return this.watch(job, Math.max(0, timeline.now - job.deadline) + lateMost);
      require(false, 'I1', () =>
        `${name(job)} is unanswered ${(timeline.now - job.deadline).toFixed(1)} ms late`);
    });
  }
}

export class Faults {
  private readonly system: System;

  constructor(system: System) {
    this.system = system;
  }

  strike(fault: FaultPlan): void {
    const { system } = this;
    const { kind, target, other, durationMs } = fault;
    const workers = system.with('worker');
    switch (kind) {
      case 'kill':
        return this.kill(chosen(workers, target));
      case 'storm':
        for (let at = 0; at < 8; at++) {
          system.timeline.after(at * 15, () =>
            this.kill(chosen(system.with('worker'), (target * 7 + at * 0.37) % 1)),
          );
        }
        return;
      case 'freeze':
        return this.freeze(chosen([...system.processes.values()], target), durationMs, other > 0.3);
      case 'stall':
        return this.freeze(chosen([...system.processes.values()], target), Math.min(25, durationMs), false);
      case 'cut':
        return this.onLink(fault, (one, two) => system.network.cut(one, two, durationMs));
      case 'rejoin':
        return this.rejoin(fault);
      case 'partition':
        return this.onLink(fault, (one, two) => this.partition(one, two, fault));
      case 'crash':
        return this.crash(chosen(nodes(system), target), durationMs);
      case 'drainWorker':
        return chosen(workers, target)?.hear({ type: 'drain.requested' });
      case 'slow':
        return this.slow(chosen(workers, target), durationMs);
      case 'sicken':
        return this.sicken(chosen(workers, target));
      case 'drainRouter':
        return this.drainRouter(chosen(system.with('router'), target), durationMs);
      case 'drainNode':
        return this.drainNode(chosen(nodes(system), target), durationMs);
    }
  }

  private kill(worker: Process | undefined): void {
    if (worker === undefined) return;
    this.system.truth.excuse(worker.id);
    this.system.end(worker, 'killed', 'ended from outside by SIGKILL');
  }

  private freeze(process: Process | undefined, forMs: number, noticed: boolean): void {
    if (process === undefined || process.frozen) return;
    const { system } = this;
    system.happened(`freeze ${process.id}`);
    process.freeze();
    system.timeline.after(forMs, () => process.resume());
    // Its peers' sockets find out that nobody answers there.
    if (!noticed || forMs < 120) return;
    for (const peer of system.network.peersOf(process.id)) {
      system.timeline.after(100, () => {
        if (process.frozen) system.network.cut(process.id, peer, forMs - 100);
      });
    }
  }

  private sicken(worker: Process | undefined): void {
    if (worker === undefined) return;
    this.system.happened(`sicken ${worker.id}`);
    worker.sick = true;
    this.system.sickened.set(worker.id.split('.')[0] as string, this.system.scenario.sickAgain);
  }

  private slow(worker: Process | undefined, forMs: number): void {
    if (worker === undefined) return;
    this.system.happened(`slow ${worker.id}`);
    worker.slowUntil = this.system.timeline.now + forMs;
  }

  /** A worker registers anew while routers, held up, still act on what its scheduler said before. */
  private rejoin({ target, other }: FaultPlan): void {
    const { system } = this;
    for (const router of system.with('router')) this.freeze(router, 20 + 30 * other, false);
    const worker = chosen(system.with('worker'), target);
    for (const scheduler of system.with('scheduler')) {
      if (worker !== undefined) system.network.cut(worker.id, scheduler.id, 1);
    }
  }

  private onLink({ target, other }: FaultPlan, act: (one: string, two: string) => void): void {
    const { system } = this;
    const one = chosen([...system.processes.values()], target);
    const two = chosen(system.network.peersOf(one?.id ?? ''), other);
    if (one !== undefined && two !== undefined) act(one.id, two);
  }

  private partition(one: string, two: string, { target, durationMs }: FaultPlan): void {
    const { network, scenario } = this.system;
    const noticeMs = 60 + 80 * ((target * 13) % 1);
    const told = scenario.network.honest || target > 0.4;
    // Whoever is told of it loses nothing silently: the silence ends in the loss of the link.
    const silentMs = told ? noticeMs * 1.3 : durationMs;
    network.silence(one, two, silentMs);
    if (target > 0.6) network.silence(two, one, silentMs);
    if (told) network.cut(one, two, durationMs, noticeMs);
  }

  private crash(node: Process | undefined, forMs: number): void {
    if (node === undefined) return;
    this.system.end(node, 'crashed', 'the node died');
    this.again(node, forMs);
  }

  private drainRouter(router: Process | undefined, forMs: number): void {
    if (router === undefined) return;
    router.hear({ type: 'drain.requested' });
    const wait = (): void => {
      if (router.alive) this.system.timeline.after(10, wait);
      else this.again(router, forMs);
    };
    wait();
  }

  private drainNode(node: Process | undefined, forMs: number): void {
    if (node === undefined) return;
    const { timeline } = this.system;
    const order = (to: 'drain' | 'undrain'): void =>
      node.hear({ type: 'node.order', asked: 1, order: to, last: false }, 'an operator');
    order('drain');
    timeline.after(forMs, () => order('undrain'));
  }

  private again(node: Process, inMs: number): void {
    const plan = this.system.planOf(node);
    if (plan === undefined) return;
    this.system.timeline.after(Math.min(inMs, 200), () => {
      if (![...this.system.processes.values()].some(({ id }) => id.startsWith(`${plan.name}.`))) {
        this.system.startNode(plan);
      }
    });
  }
}

function nodes(system: System): Process[] {
  return [...system.processes.values()].filter((process) => !process.roles.includes('worker'));
}

function chosen<T>(list: readonly T[], target: number): T | undefined {
  return list[Math.floor(target * list.length)];
}

/** One healthy job per router and model. */
export function probes(system: System): { readonly plan: JobPlan; readonly router: Process }[] {
  return system.with('router').flatMap((router) =>
    system.scenario.models.map((model) => ({
      router,
      plan: {
        at: phases.probeAt,
        router: 0,
        model,
        nature: 'plain' as const,
        rows: 1,
        shapeKey: 'a',
        priority: 0,
        budgetMs: phases.probeBudgetMs,
        cancelAfterMs: Number.NaN,
        content: 0,
        twice: false,
      },
    })),
  );
}
