// Planted bugs in what keeps a system's promises: admission, turns and batches, retries, second runs, shared runs.
import type { Actor } from '../../actors/actor.js';
import type { Effect, Reply } from '../../actors/effects.js';
import type { Job } from '../../actors/job/job.js';
import { Backlog } from '../../actors/lane/backlog.js';
import type { Lane } from '../../actors/lane/lane.js';
import type { LaneView, Plan, Planner } from '../../actors/lane/policy.js';
import type { Waiting } from '../../actors/lane/queue.js';
import type { Scheduler } from '../../actors/scheduler/scheduler.js';
import type { Outlook } from '../../actors/scheduler/workers.js';
import type { Said } from '../../proto/messages.js';
import type { Bug } from './bug.js';

interface RouterInside {
  readonly conductor: {
    perform(effect: Effect): void;
    end(job: Job, event: string, now: number, end: Reply['end'], slice?: Reply['slice']): void;
  };
  readonly retries: { take(job: Job, now: number): string };
  readonly hedging: { callBack(): void; readonly bucket: { take(): boolean } };
  readonly sharing: {
    promote(): void;
    endWith(follower: Job, leader: Job, end: Reply['end'], slice: Reply['slice'], now: number): void;
  };
  readonly answers: { finish(finished: Said<'batch.finished'>, from: string, now: number): void };
}

interface SchedulerInside {
  readonly admission: { refusalOf(lane: Lane, entry: Waiting, now: number): unknown };
  readonly turns: { order(lanes: Iterable<Lane>): Lane[] };
}

const insideRouter = (actor: Actor): RouterInside => actor as unknown as RouterInside;
const insideScheduler = (actor: Actor): SchedulerInside => actor as unknown as SchedulerInside;

/** Of a batch so large as the model takes, whatever its policy allows. */
function takeAll({ planner }: Outlook): void {
  const next = planner.next.bind(planner);
  planner.next = (policy: Parameters<Planner['next']>[0], view: LaneView, now: number): Plan => {
    const plan = next(policy, view, now);
    if (plan.rowsMost > 0) plan.rowsMost = view.rowsMax;
    return plan;
  };
}

const sharing: Readonly<Record<string, Bug>> = {
  followersForgotten: {
    about: 'those who waited for a run that was lost or called off are told nothing',
    kind: 'router',
    plant(actor) {
      insideRouter(actor).sharing.promote = () => {};
    },
  },
  followersRows: {
    about: "who shares a run gets another's rows of the batch",
    kind: 'router',
    plant(actor) {
      const { sharing } = insideRouter(actor);
      const endWith = sharing.endWith.bind(sharing);
      sharing.endWith = (follower, leader, end, slice, now) =>
        endWith(follower, leader, end, slice && { ...slice, rowsBefore: 0 }, now);
    },
  },
  sharedByName: {
    about: 'all requests for a model are taken for the same',
    kind: 'router',
    hears: (heard) =>
      heard.type === 'job.submitted' && heard.spec.identity !== ''
        ? { ...heard, spec: { ...heard.spec, identity: heard.spec.model } }
        : heard,
  },
};

const running: Readonly<Record<string, Bug>> = {
  retriesPastBudget: {
    about: 'a failed run is always tried again',
    kind: 'router',
    plant(actor) {
      insideRouter(actor).retries.take = () => '';
    },
  },
  ranTwice: {
    about: 'a job that must run once only is run again when its worker is lost',
    kind: 'router',
    hears: (heard) =>
      heard.type === 'job.submitted' && !heard.spec.hedge
        ? { ...heard, spec: { ...heard.spec, idempotent: true } }
        : heard,
  },
  splitLosesRow: {
    about: 'a member of a batch that failed is sent again without its last row',
    kind: 'router',
    wants(effect) {
      if (effect.type !== 'send' || effect.message.type !== 'batch.run') return [effect];
      const { message } = effect;
      const isAgain = message.jobs.length === 1 && (message.attempts[0] as number) > 1;
      const rows = isAgain ? message.rows.map((count) => Math.max(1, count - 1)) : message.rows;
      return [{ ...effect, message: { ...message, rows } }];
    },
  },
  hedgesUnbounded: {
    about: 'every slow run gets a second one beside it',
    kind: 'router',
    plant(actor) {
      insideRouter(actor).hedging.bucket.take = () => true;
    },
  },
  loserRunsOn: {
    about: 'the slower of two runs is not called back',
    kind: 'router',
    plant(actor) {
      insideRouter(actor).hedging.callBack = () => {};
    },
  },
  hedgeAnsweredTwice: {
    about: 'both runs of a job are answered',
    kind: 'router',
    plant(actor) {
      const { conductor, answers } = insideRouter(actor);
      const doubled = new Map<number, Job>();
      const end = conductor.end.bind(conductor);
      conductor.end = (job, event, now, why, slice) => {
        end(job, event, now, why, slice);
        if (job.spec.hedge && event === 'complete') doubled.set(job.number, job);
      };
      const finish = answers.finish.bind(answers);
      answers.finish = (finished, from, now) => {
        const before = finished.jobs.filter((job) => doubled.has(job));
        finish(finished, from, now);
        for (const job of before) {
          const record = doubled.get(job) as Job;
          const why = { ending: 'completed', code: undefined, message: '', retryAfterMs: 0 } as const;
          conductor.perform({ type: 'reply', job, end: why, record, slice: undefined });
        }
      };
    },
  },
};

const scheduling: Readonly<Record<string, Bug>> = {
  displacedUntold: {
    about: 'who gives way to a more important job is told nothing',
    kind: 'scheduler',
    wants: (effect) =>
      effect.type === 'send' && effect.message.type === 'job.refused' && effect.message.code === 'DISPLACED'
        ? []
        : [effect],
  },
  timerForgotten: {
    about: 'a batch that waits for more is forgotten until something else happens',
    kind: 'scheduler',
    wants: (effect) => (effect.type === 'arm' ? [] : [effect]),
  },
  admissionBlind: {
    about: 'admission does not see who waits already',
    kind: 'scheduler',
    plant(actor) {
      const { admission } = insideScheduler(actor);
      const refusalOf = admission.refusalOf.bind(admission);
      admission.refusalOf = (lane, entry, now) => {
        const queue = { count: lane.queue.count, sorts: 1, backlog: new Backlog() };
        return refusalOf(Object.create(lane, { queue: { value: queue } }) as Lane, entry, now);
      };
    },
  },
  weightsIgnored: {
    about: 'the lane that was there first goes first, for as long as anybody waits in it',
    kind: 'scheduler',
    plant(actor) {
      insideScheduler(actor).turns.order = (lanes) => [...lanes].filter(({ queue }) => queue.count > 0);
    },
  },
  prioritiesIgnored: {
    about: 'nobody goes before others',
    kind: 'scheduler',
    hears: (heard) => (heard.type === 'job.enqueue' ? { ...heard, priority: 1 } : heard),
  },
  batchPastPolicy: {
    about: 'a batch takes all that the model takes, and its first member is late for it',
    kind: 'scheduler',
    plant(actor) {
      const known = new WeakSet<Outlook>();
      const { registry } = actor as Scheduler;
      const register = registry.register.bind(registry);
      registry.register = (id, said) => {
        const worker = register(id, said);
        const outlookOf = worker.outlook.bind(worker);
        worker.outlook = (model, shapeKey) => {
          const outlook = outlookOf(model, shapeKey);
          if (!known.has(outlook)) takeAll(outlook);
          known.add(outlook);
          return outlook;
        };
        return worker;
      };
    },
  },
  tagsIgnored: {
    about: 'what a model needs in a worker is not asked for',
    kind: 'scheduler',
    hears: (heard) => (heard.type === 'model.described' ? { ...heard, needs: [] } : heard),
  },
  admittedRefused: {
    about: 'a job that comes again after its worker was lost is refused as if it were new',
    kind: 'scheduler',
    hears: (heard) => (heard.type === 'job.enqueue' ? { ...heard, admitted: false } : heard),
  },
  backlogKept: {
    about: 'rows that were withdrawn go on counting against newcomers',
    kind: 'scheduler',
    after(actor) {
      for (const { queue } of (actor as Scheduler).lanes.values()) {
        if (queue.count === 1) queue.backlog.remove = () => {};
      }
    },
  },
};

export const promising: Readonly<Record<string, Bug>> = { ...sharing, ...running, ...scheduling };
