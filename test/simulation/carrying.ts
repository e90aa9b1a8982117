// Planted bugs in what carries a job through: fencing, credits, deadlines, owners, losses, rows.
import type { Actor, Heard } from '../../actors/actor.js';
import type { JobBook } from '../../actors/router/book.js';
import type { Neighbours } from '../../actors/router/neighbours.js';
import type { Router } from '../../actors/router/router.js';
import type { Scheduler } from '../../actors/scheduler/scheduler.js';
import type { Enrolment } from '../../actors/worker/enrolment.js';
import type { Worker } from '../../actors/worker/worker.js';
import type { Said } from '../../proto/messages.js';
import type { ActorKind, Bug } from './bug.js';

interface RouterInside {
  readonly book: JobBook;
  readonly neighbours: Neighbours;
}

interface RunsInside {
  readonly enrolment: Enrolment;
  refusal(run: Said<'batch.run'>, ready: boolean): string | undefined;
}

interface WorkerInside {
  readonly stock: { readonly room: unknown };
}

const insideWorker = (actor: Actor): WorkerInside => actor as unknown as WorkerInside;
const insideRouter = (actor: Actor): RouterInside => actor as unknown as RouterInside;

function deaf(kind: ActorKind, type: Heard['type'], about: string): Bug {
  return { about, kind, hears: (heard) => (heard.type === type ? undefined : heard) };
}

export const carrying: Readonly<Record<string, Bug>> = {
  unfencedAttempts: {
    about: 'the router takes any answer for a job that is at a worker, whatever attempt it is of',
    kind: 'router',
    plant(actor) {
      const { book } = insideRouter(actor);
      book.current = (word, member) => {
        const job = book.get(word.jobs[member] as number);
        return job?.placed === true ? job : undefined;
      };
    },
  },
  uncheckedEpoch: {
    about: 'the worker takes batches of a registration that is over',
    kind: 'worker',
    plant(actor) {
      const inside = (actor as Worker).runs as unknown as RunsInside;
      const refusal = inside.refusal.bind(inside);
      inside.refusal = (run, ready) =>
        refusal({ ...run, epoch: inside.enrolment.epochAt(run.scheduler) ?? 0 }, ready);
    },
  },
  creditLostOnDecline: deaf('scheduler', 'batch.declined', 'a declined batch keeps its credit'),
  creditCountedOnce: {
    about: 'of a finished batch the credit is forgotten once in a while',
    kind: 'scheduler',
    after(actor) {
      for (const worker of (actor as Scheduler).registry.all()) {
        if (worker.batches.size === 0 && worker.used.thread > 1) worker.used.thread = 1;
        else if (worker.batches.size === 2) worker.used.inline++;
      }
    },
  },
  creditsIgnored: {
    about: 'the scheduler believes that a worker granted more credits than it did',
    kind: 'scheduler',
    hears: (heard) =>
      heard.type === 'worker.register' ? { ...heard, threadCredits: heard.threadCredits + 1 } : heard,
  },
  doubleReply: {
    about: 'a job that expires is answered twice',
    kind: 'router',
    wants: (effect) =>
      effect.type === 'reply' && effect.end.ending === 'expired' ? [effect, effect] : [effect],
  },
  lateStart: {
    about: 'the worker starts what is too late',
    kind: 'worker',
    hears: (heard) =>
      heard.type === 'batch.run' ? Object.assign(heard, { budgetsMs: heard.jobs.map(() => 10_000) }) : heard,
  },
  lateAssignment: {
    about: 'the scheduler assigns what nobody can answer in time any more',
    kind: 'scheduler',
    hears: (heard) => (heard.type === 'job.enqueue' ? { ...heard, budgetMs: heard.budgetMs + 1000 } : heard),
  },
  rowsOffByOne: {
    about: 'the router cuts the second job of a batch one row too late',
    kind: 'router',
    wants(effect) {
      if (effect.type !== 'reply' || effect.slice === undefined || effect.slice.rowsBefore === 0)
        return [effect];
      return [{ ...effect, slice: { ...effect.slice, rowsBefore: effect.slice.rowsBefore + 1 } }];
    },
  },
  deadlineNotArmed: {
    about: 'the router does not set its timer anew after one deadline has passed',
    kind: 'router',
    plant(actor) {
      const { book } = insideRouter(actor);
      const takeLate = book.takeLate.bind(book);
      book.takeLate = (now, late) => {
        takeLate(now, late);
        return undefined;
      };
    },
  },
  poisonNeverNamed: {
    about: 'the deaths under a job are forgotten',
    kind: 'router',
    after(actor) {
      for (const job of (actor as Router).allJobs()) job.deaths = 0;
    },
  },
  retriesUnbounded: {
    about: 'the losses of a job are not counted',
    kind: 'router',
    after(actor) {
      for (const job of (actor as Router).allJobs()) job.losses = 0;
    },
  },
  twoOwners: {
    about: 'one router takes the first scheduler for the owner of everything',
    kind: 'router',
    plant(actor, process) {
      if (!process.includes('-2')) return;
      const { neighbours } = insideRouter(actor);
      neighbours.owner = () => neighbours.schedulers[0] ?? '';
    },
  },
  batchTooLarge: {
    about: 'the scheduler forms batches of more rows than the model takes',
    kind: 'scheduler',
    hears: (heard) => (heard.type === 'share.changed' ? { ...heard, rowsMax: heard.rowsMax + 2 } : heard),
  },
  withdrawalUnheard: deaf('scheduler', 'job.withdraw', 'a withdrawn job stays in its queue and is assigned'),
  recallUnheard: deaf('worker', 'batch.recall', 'a job that was called back is run'),
  soloAmongOthers: {
    about: 'a batch under watch runs beside others',
    kind: 'worker',
    hears: (heard) => (heard.type === 'batch.run' ? Object.assign(heard, { solo: false }) : heard),
  },
  queueUnbounded: {
    about: 'a lane takes whatever comes',
    kind: 'scheduler',
    plant(actor) {
      const settings = (actor as unknown as { settings: { lane: { depthMax: number } } }).settings;
      settings.lane.depthMax = 100_000;
    },
  },
  suspectTakesWork: {
    about: 'a worker in doubt goes on with what it has',
    kind: 'worker',
    plant(actor) {
      (actor as Worker).runs.confine = () => {};
    },
  },
  proofUnread: {
    about: 'a golden input that fails is taken for one that passes',
    kind: 'worker',
    hears: (heard) => (heard.type === 'device.probed' ? { ...heard, failed: false } : heard),
  },
  unloadedInUse: {
    about: 'a model that nobody asks for any more is unloaded, whatever of it still runs',
    kind: 'worker',
    plant(actor) {
      (actor as Worker).runs.uses = () => false;
    },
  },
  memoryIgnored: {
    about: 'a worker loads whatever it is asked for',
    kind: 'worker',
    plant(actor) {
      (insideWorker(actor).stock.room as { memoryMb: number }).memoryMb = 0;
    },
  },
  wakeUnsaid: {
    about: 'nobody is asked to load what rests',
    kind: 'scheduler',
    wants: (effect) => (effect.type === 'send' && effect.message.type === 'share.wake' ? [] : [effect]),
  },
  wakeUnthought: {
    about: 'that somebody waits for a model at rest is not seen',
    kind: 'scheduler',
    plant(actor) {
      Object.defineProperty((actor as Scheduler).registry, 'hasRest', { value: false });
    },
  },
  yieldUnanswered: {
    about: 'a worker that makes room is never told that nothing more comes',
    kind: 'scheduler',
    wants: (effect) => (effect.type === 'send' && effect.message.type === 'share.dismissed' ? [] : [effect]),
  },
  reportsUnheard: deaf('scheduler', 'worker.reported', 'a credit that was lost on the way never comes back'),
  lossUnheard: deaf('router', 'link.lost', 'the router waits for a worker that is gone'),
};
