// A job in each of its states, and everything that can be heard then: through the router itself, compared with the
// chart. What comes too late, twice, or from the wrong hand changes nothing.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Effect } from '../../actors/effects.js';
import { Job } from '../../actors/job/job.js';
import {
  actionsOf,
  eventOf,
  type JobAction,
  type JobEvent,
  type JobState,
  jobTable,
  nextState,
  stateOf,
} from '../../actors/job/job.table.js';
import { limits } from '../../proto/limits.js';
import { only, RouterStage, replyOf, said, scheduler, specOf, worker } from './stage.js';

/** Brings a new job into a state, as life would. */
const ways: Record<Exclude<JobState, 'arriving'>, (stage: RouterStage) => void> = {
  sharing: (stage) => {
    stage.submit({ identity: 'the same' });
    stage.assign([stage.last]);
    stage.submit({ identity: 'the same' });
  },
  queued: (stage) => stage.submit(),
  assigned: (stage) => {
    stage.submit();
    stage.assign([stage.last]);
  },
  running: (stage) => {
    ways.assigned(stage);
    stage.start([stage.last]);
  },
  retrying: (stage) => {
    // Handed back twice: the second time it has to wait.
    ways.assigned(stage);
    stage.finish([stage.last], ['returned']);
    stage.assign([stage.last]);
    stage.finish([stage.last], ['returned']);
  },
  completed: (stage) => {
    ways.running(stage);
    stage.finish([stage.last], ['']);
  },
  failed: (stage) => {
    ways.running(stage);
    stage.finish([stage.last], ['MODEL_FAILED']);
  },
  expired: (stage) => {
    ways.queued(stage);
    stage.now += 1000;
    stage.fire('deadlines');
  },
  cancelled: (stage) => {
    ways.queued(stage);
    stage.hear({ type: 'job.cancelled', job: stage.last, why: 'went away' });
  },
  rejected: (stage) => {
    stage.submit({ bytes: 2e6 });
  },
  displaced: (stage) => {
    ways.queued(stage);
    stage.refuse('DISPLACED');
  },
};

/** What the router says when it does what the chart names. */
const deeds: Record<JobAction, 'job.enqueue' | 'job.withdraw' | 'batch.recall'> = {
  enqueue: 'job.enqueue',
  withdraw: 'job.withdraw',
  recall: 'batch.recall',
};

type Stimulus = Exclude<JobEvent, 'admit' | 'share' | 'resume' | 'giveUp'>;

/** Whose run the job waits for: its own, or that of the one that it shares with. */
function runner(stage: RouterStage): number {
  return stage.router.job(stage.last)?.sharers?.leader.number ?? stage.last;
}

/** What makes each event happen. Where the job is in no state for it, it must be as if nothing had been said. */
const stimuli: Record<Stimulus, (stage: RouterStage) => Effect[]> = {
  assign: (stage) => stage.assign([stage.last]),
  orphan: (stage) => {
    stage.link('scheduler-2.ffffff', 'scheduler');
    return stage.unlink(scheduler);
  },
  reject: (stage) => stage.refuse('QUEUE_FULL'),
  displace: (stage) => stage.refuse('DISPLACED'),
  start: (stage) => stage.start([stage.last]),
  complete: (stage) => stage.finish([runner(stage)], ['']),
  fail: (stage) => stage.finish([runner(stage)], ['MODEL_FAILED']),
  lead: (stage) => {
    const leader = runner(stage);
    return leader === stage.last ? [] : stage.hear({ type: 'job.cancelled', job: leader, why: 'went away' });
  },
  lose: (stage) => stage.exit('killed'),
  requeue: (stage) => {
    stage.now += 200;
    return stage.fire('retries');
  },
  expire: (stage) => {
    stage.now += 2000;
    return stage.fire('deadlines');
  },
  cancel: (stage) => stage.hear({ type: 'job.cancelled', job: stage.last, why: 'went away' }),
};

describe('a job, heard through its router', () => {
  for (const state of jobTable.states.filter((name) => name !== 'arriving')) {
    for (const [event, stimulus] of Object.entries(stimuli) as [Stimulus, (typeof stimuli)[Stimulus]][]) {
      test(`${event} in ${state}`, () => {
        const stage = RouterStage.usual();
        ways[state](stage);
        const isFinal = jobTable.final[stateOf[state]] === true;
        assert.equal(stage.state(), isFinal ? undefined : state, 'the way there');
        const effects = stimulus(stage);
        const next = nextState(stateOf[state], eventOf[event]);
        const replies = only(effects, 'reply').filter(({ job }) => job === stage.last);
        if (next < 0) {
          assert.equal(stage.state(), isFinal ? undefined : state, 'it stays');
          assert.equal(replies.length, 0);
        } else if (jobTable.final[next] === true) {
          assert.deepEqual(
            replies.map(({ end }) => end.ending),
            [jobTable.states[next]],
          );
          assert.equal(stage.router.job(stage.last), undefined, 'it is out of the book');
        } else {
          // A lost job is tried again at once.
          const lasting = jobTable.states[next] === 'retrying' ? 'queued' : jobTable.states[next];
          assert.equal(stage.state(), lasting);
          assert.equal(replies.length, 0);
        }
        for (const action of actionsOf(stateOf[state], eventOf[event])) {
          assert.equal(said(effects, deeds[action]).length, 1, `it does what the chart names: ${action}`);
        }
        assert.equal(stage.router.violations, 0, 'and nothing is blamed on the chart');
      });
    }
  }

  test('the chart names nothing but what the router does by name', () => {
    assert.deepEqual(new Set(jobTable.actions.flat()), new Set(Object.keys(deeds)));
  });

  test('a job that is lost too often is given up', () => {
    const stage = RouterStage.usual({ lossesMax: 1 });
    ways.running(stage);
    const { end } = replyOf(stage.exit('killed'));
    assert.deepEqual([end.ending, end.code], ['failed', 'WORKERS_LOST']);
    assert.match(end.message, /given up after 1 attempt.*killed/);
  });

  test('who may have been run and finds nobody for another run has failed, where others are turned away', () => {
    for (const [way, ending] of [
      ['queued', 'rejected'],
      ['running', 'failed'],
    ] as const) {
      const stage = RouterStage.usual();
      ways[way](stage);
      if (way === 'running') stage.exit('killed');
      assert.equal(stage.state(), 'queued');
      const { end } = replyOf(stage.refuse('MODEL_UNAVAILABLE', stage.last, 'no worker could load it', 0));
      assert.deepEqual([end.ending, end.code], [ending, 'MODEL_UNAVAILABLE']);
      assert.equal(stage.router.violations, 0);
    }
  });

  test('the wrong hand moves nothing', () => {
    const stage = RouterStage.usual();
    ways.running(stage);
    const [job] = [stage.last];
    stage.finish([job], [''], 'worker-2.dddddd');
    stage.finish([job], [''], worker, { epoch: 2 });
    stage.finish([job], [''], worker, { batch: 99 });
    stage.finish([job], [''], worker, { attempts: [2] });
    stage.finish([job], [''], worker, { jobs: [77] });
    assert.equal(stage.state(), 'running');
    assert.equal(stage.router.fenced, 5);
    assert.equal(replyOf(stage.finish([job], [''])).end.ending, 'completed');
    assert.equal(
      only(stage.finish([job], ['']), 'reply').length,
      0,
      'an answer that comes twice counts once',
    );
    assert.equal(stage.router.fenced, 6);
  });

  test('a second job under a number that is in use is not taken', () => {
    const stage = RouterStage.usual();
    stage.submit();
    const effects = stage.hear({ type: 'job.submitted', job: stage.last, spec: specOf({ model: 'other' }) });
    assert.deepEqual(
      effects.map(({ type }) => type),
      ['note'],
    );
    assert.equal(stage.router.job(stage.last)?.spec.model, 'digits');
    assert.equal(stage.router.liveJobs, 1);
  });
});

describe("a job's path", () => {
  test('tells each state, when, and why', () => {
    const stage = RouterStage.usual();
    stage.now = 10;
    stage.submit();
    stage.now = 12.5;
    stage.assign([stage.last]);
    stage.now = 13;
    const { record } = replyOf(stage.finish([stage.last], ['']));
    assert.deepEqual(record.path(), [
      { state: 'queued', afterMs: 0, why: '' },
      { state: 'assigned', afterMs: 2.5, why: `${worker}, batch of 1 row` },
      { state: 'completed', afterMs: 3, why: '' },
    ]);
  });

  test('is bounded: of a long story the beginning and the latest are kept', () => {
    const job = new Job(1, specOf(), 0);
    const turns = 40;
    job.move('admit', 0, 'first');
    for (let turn = 1; turn <= turns; turn++) {
      job.move('assign', turn, `turn ${turn}`);
      job.move('lose', turn, `turn ${turn}`);
      job.move('requeue', turn, `turn ${turn}`);
    }
    const path = job.path();
    assert.ok(path.length <= limits.pathStepsMax && path.length > limits.pathStepsMax / 2, `${path.length}`);
    assert.deepEqual(path[0], { state: 'queued', afterMs: 0, why: 'first' });
    assert.deepEqual(path.at(-1), { state: 'queued', afterMs: turns, why: `turn ${turns}` });
    const times = path.map(({ afterMs }) => afterMs);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
      'in order',
    );
  });

  test('a move that the chart does not have changes nothing', () => {
    const job = new Job(1, specOf(), 0);
    assert.equal(job.move('complete', 1, ''), undefined);
    assert.ok(job.is('arriving'));
    assert.deepEqual(job.path(), []);
  });
});
