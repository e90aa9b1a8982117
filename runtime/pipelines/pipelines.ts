// The pipelines of a node: takes the requests of models that have steps before or after them, lets so many of each model
// begin at a time, and counts what waits, in requests and in bytes.
import { draining } from '../../actors/router/admission.js';
import { modelKey } from '../../proto/ids.js';
import { after } from '../clock.js';
import type { Answer, Submission, Ticket } from '../doors/engine.js';
import type { Pipeline } from './declaration.js';
import { type Inner, Passing, type PassingWatcher } from './passing.js';
import { PipelinePool } from './pool.js';
import type { StepRequest } from './step.js';

export interface PipelineBounds {
  readonly threadCount: number;
  readonly queueDepthMax: number;
  readonly queueBytesMax: number;
  readonly hungMs: number;
}

/** A thread that says nothing for so long is stuck in a step: whoever has not begun there goes elsewhere. */
const silentMostMs = 1000;

type InnerOf = (pipeline: Pipeline, parameters: StepRequest['parameters']) => Inner;

/** One model's requests: those that wait, by priority, and how many are in its steps. */
interface Lane {
  readonly waiting: Passing[];
  begun: number;
}

export class Pipelines {
  readonly #bounds: PipelineBounds;
  readonly #innerOf: InnerOf;
  readonly #pool: PipelinePool;
  readonly #lanes = new Map<string, Lane>();
  readonly #passing = new Set<Passing>();
  readonly #watcher: PassingWatcher;
  #waitingCount = 0;
  #waitingBytes = 0;
  #taken = 0;
  #isDraining = false;
  #drained: () => void = () => {};

  constructor(bounds: PipelineBounds, innerOf: InnerOf) {
    this.#bounds = bounds;
    this.#innerOf = innerOf;
    this.#pool = new PipelinePool(bounds.threadCount, Math.min(silentMostMs, bounds.hungMs / 2));
    this.#watcher = {
      hungMs: bounds.hungMs,
      ended: (passing) => this.#ended(passing),
      released: (passing) => this.#released(passing),
    };
  }

  submit(
    pipeline: Pipeline,
    submission: Submission,
    parameters: StepRequest['parameters'],
    reply: (answer: Answer) => void,
  ): Ticket {
    const request = { id: ++this.#taken, pipeline, submission, parameters };
    const passing: Passing = new Passing(
      request,
      () => this.#innerOf(pipeline, parameters),
      reply,
      this.#watcher,
    );
    this.#passing.add(passing);
    const lane = this.#laneOf(pipeline);
    if (this.#isDraining) passing.fail('DRAINING', draining.message, draining.retryAfterMs);
    else if (lane.begun < pipeline.requestsInFlightMax) this.#begin(lane, passing);
    else this.#wait(lane, passing);
    return { cancel: (why) => passing.cancel(why) };
  }

  /** Requests that are under way. */
  get live(): number {
    return this.#passing.size;
  }

  /** Takes nothing new; resolves when what was taken has ended, or after `patienceMs`. */
  drain(patienceMs: number): Promise<void> {
    this.#isDraining = true;
    if (this.#passing.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const late = after(patienceMs, () => {
        for (const passing of [...this.#passing]) {
          passing.fail('NODE_STOPPED', 'the node stopped before the request was done');
        }
        resolve();
      });
      this.#drained = () => {
        late.cancel();
        resolve();
      };
    });
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  #wait(lane: Lane, passing: Passing): void {
    const { queueDepthMax, queueBytesMax } = this.#bounds;
    if (this.#waitingCount >= queueDepthMax || this.#waitingBytes + passing.bytes > queueBytesMax) {
      const where = `before the steps of model "${passing.pipeline.model}" wait ${lane.waiting.length} requests`;
      const all = `${this.#waitingCount} requests (${this.#waitingBytes} bytes) before all pipelines`;
      passing.fail(
        'QUEUE_FULL',
        `${where}, ${all}; at most are ${queueDepthMax} (pipelineQueueDepthMax) and ${queueBytesMax} bytes ` +
          '(pipelineQueueBytesMax)',
      );
      return;
    }
    const at = lane.waiting.findLastIndex((other) => other.priority <= passing.priority);
    lane.waiting.splice(at + 1, 0, passing);
    this.#waitingCount++;
    this.#waitingBytes += passing.bytes;
  }

  #begin(lane: Lane, passing: Passing): void {
    lane.begun++;
    passing.begin(this.#pool.thread());
  }

  #ended(passing: Passing): void {
    this.#passing.delete(passing);
    if (!passing.hasBegun) this.#leave(this.#laneOf(passing.pipeline), passing);
    if (this.#passing.size === 0) this.#drained();
  }

  #released(passing: Passing): void {
    const lane = this.#laneOf(passing.pipeline);
    lane.begun--;
    const next = lane.waiting[0];
    if (next === undefined) return;
    this.#leave(lane, next);
    this.#begin(lane, next);
  }

  #leave(lane: Lane, passing: Passing): void {
    const at = lane.waiting.indexOf(passing);
    if (at < 0) return;
    lane.waiting.splice(at, 1);
    this.#waitingCount--;
    this.#waitingBytes -= passing.bytes;
  }

  #laneOf({ model, version }: Pipeline): Lane {
    const key = modelKey(model, version);
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { waiting: [], begun: 0 };
      this.#lanes.set(key, lane);
    }
    return lane;
  }
}
