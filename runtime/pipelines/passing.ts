// One request of a client on its way through a pipeline, seen from the main thread: it waits, is handed to a thread, asks the
// tensor model with one job after the other, and has exactly one end, by its deadline at the latest.
import { type ErrorCode, isErrorCode, SignalboxError } from '../../proto/errors.js';
import type { JobEnd, JobStep } from '../../proto/job.js';
import { after, now, settle, type Timer } from '../clock.js';
import type { Answer, Submission, Ticket } from '../doors/engine.js';
import { BufferSweep } from '../heap.js';
import type { Pipeline } from './declaration.js';
import { movable } from './letters.js';

import type { StepRequest, Tensors } from './step.js';
import type { PipelineThread, ThreadClient } from './threads.js';

/** The tensor model behind a pipeline. */
export interface Inner {
  readonly model: string;
  submission(inputs: Tensors, priority: number, leftMs: number): Submission;
  submit(submission: Submission, reply: (answer: Answer) => void): Ticket;
  /** The request asks no more. */
  release(): void;
}

export interface PassingRequest {
  readonly id: number;
  readonly pipeline: Pipeline;
  readonly submission: Submission;
  readonly parameters: StepRequest['parameters'];
}

export interface PassingWatcher {
  /** How long a thread may hold on to a request that has ended before it is taken for hung. */
  readonly hungMs: number;
  ended(passing: Passing): void;
  /** No thread has it any more: its place is free. */
  released(passing: Passing): void;
}

/** Of answers of tensor models, which are as large again as what was asked. */
const sweep = new BufferSweep(16 << 20, 'minor');

const completed: JobEnd = { ending: 'completed', code: undefined, message: '', retryAfterMs: 0 };

export class Passing implements ThreadClient {
  readonly pipeline: Pipeline;
  readonly priority: number;
  readonly bytes: number;
  readonly #request: PassingRequest;
  readonly #find: () => Inner;
  readonly #reply: (answer: Answer) => void;
  readonly #watcher: PassingWatcher;
  readonly #cameAt = now();
  readonly #timer: Timer;
  readonly #path: JobStep[] = [];
  readonly #jobs = new Map<number, Ticket>();
  /** One and the same for all its pieces, whatever takes over meanwhile. */
  #inner: Inner | undefined;
  #thread: PipelineThread | undefined;
  #hung: Timer | undefined;
  #asked = 0;
  #answered = 0;
  #isWithThread = false;
  #isOver = false;

  constructor(
    request: PassingRequest,
    find: () => Inner,
    reply: (answer: Answer) => void,
    watcher: PassingWatcher,
  ) {
    this.#request = request;
    this.#find = find;
    this.#reply = reply;
    this.#watcher = watcher;
    this.pipeline = request.pipeline;
    this.priority = request.submission.spec.priority;
    this.bytes = request.submission.spec.bytes;
    this.#step('waiting', '');
    this.#timer = after(request.submission.spec.budgetMs, () => this.#expire());
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get hasBegun(): boolean {
    return this.#thread !== undefined;
  }

  /** Leaves with its bytes for a thread. */
  begin(thread: PipelineThread): void {
    if (!this.#findInner()) return this.#watcher.released(this);
    this.#thread = thread;
    this.#isWithThread = true;
    this.#step('before', this.#stepNames(this.pipeline.before));
    const { id, submission, parameters, pipeline } = this.#request;
    const { spec, payload } = submission;
    const inputs = spec.inputs.map((header, at) => ({ ...header, data: payload[at] as Uint8Array }));
    const { outputs } = spec;
    thread.begin(
      {
        kind: 'begin',
        id,
        pipeline,
        inputs: movable(inputs),
        parameters,
        outputs,
        leftMs: this.#leftMs(),
      },
      this,
    );
  }

  moved(thread: PipelineThread): void {
    this.#thread = thread;
  }

  lost(reason: string, isBystander: boolean): void {
    this.#isWithThread = false;
    this.fail(isBystander ? 'WORKERS_LOST' : 'MODEL_FAILED', `${this.#subject()}: ${reason}`);
    this.#release();
  }

  cancel(why: string): void {
    this.#end({ ending: 'cancelled', code: 'CANCELLED', message: why, retryAfterMs: 0 }, []);
  }

  fail(code: ErrorCode, message: string, retryAfterMs = 0): void {
    const ending = code === 'DEADLINE_EXCEEDED' ? 'expired' : 'failed';
    this.#end({ ending, code, message, retryAfterMs }, []);
  }

  hear(letter: Parameters<ThreadClient['hear']>[0]): void {
    if (letter.kind === 'ask') {
      if (!this.#isOver) this.#ask(letter.piece, letter.inputs);
      return;
    }
    this.#isWithThread = false;
    if (letter.kind === 'done') this.#end(completed, letter.outputs);
    else this.fail(letter.code, `${this.#subject()}: ${letter.message}`);
    this.#release();
  }

  #release(): void {
    this.#hung?.cancel();
    this.#thread?.end(this.#request.id);
    this.#watcher.released(this);
  }

  /** The thread lets go of it as soon as the step that runs is done; one that never does would hold its place for ever. */
  #drop(thread: PipelineThread): void {
    if (!thread.drop(this.#request.id)) return this.#release();
    this.#hung = after(this.#watcher.hungMs, () => this.#press(thread, this.#watcher.hungMs), false);
  }

  #press(thread: PipelineThread, afterMs: number): void {
    const { hungMs } = this.#watcher;
    thread.giveUp(`a step of ${this.#subject()} still ran ${afterMs} ms after its request had ended`);
    this.#hung = after(hungMs, () => this.#press(thread, afterMs + hungMs), false);
  }

  #findInner(): boolean {
    try {
      this.#inner = this.#find();
      return true;
    } catch (fault) {
      this.#refused(fault);
      return false;
    }
  }

  #ask(piece: number, inputs: Tensors): void {
    const inner = this.#inner as Inner;
    const leftMs = this.#leftMs();
    if (leftMs <= 0) return this.#expire();
    try {
      const submission = inner.submission(inputs, this.priority, leftMs);
      if (this.#asked === 0) this.#step('running', `on ${inner.model}`);
      this.#asked++;
      this.#jobs.set(
        piece,
        inner.submit(submission, (answer) => this.#answer(piece, answer)),
      );
    } catch (fault) {
      // What does not fit the tensor model is the fault of the steps, not of the client.
      const isOurs = fault instanceof SignalboxError && fault.code === 'INPUT_INVALID';
      if (isOurs)
        this.fail('MODEL_FAILED', `${this.#subject()}: its steps made what can't be run: ${fault.message}`);
      else this.#refused(fault);
    }
  }

  #refused(fault: unknown): void {
    const known = fault instanceof SignalboxError;
    const words = fault instanceof Error ? fault.message : String(fault);
    this.fail(
      known ? fault.code : 'INTERNAL',
      `${this.#subject()}: ${words}`,
      known ? fault.retryAfterMs : 0,
    );
  }

  #answer(piece: number, answer: Answer): void {
    this.#jobs.delete(piece);
    if (this.#isOver) return;
    const { end, outputs } = answer;
    if (end.ending === 'completed') {
      this.#answered++;
      // Frames that came by ZeroMQ can't be handed on: this is the one copy.
      const copies = outputs.map((output) => ({ ...output, data: Uint8Array.from(output.data) }));
      this.#thread?.post({ kind: 'answer', id: this.#request.id, piece, outputs: copies });
      sweep.passed(bytesIn(outputs));
      return;
    }
    const which = this.#asked > 1 ? ` (job ${piece + 1} of ${this.#asked} so far, ${answer.jobId})` : '';
    const message = `${this.#subject()}${which}: ${end.message}`;
    this.#end({ ...end, code: isErrorCode(end.code) ? end.code : 'INTERNAL', message }, []);
  }

  #expire(): void {
    const budget = Math.round(this.#request.submission.spec.budgetMs * 10) / 10;
    this.fail(
      'DEADLINE_EXCEEDED',
      `the deadline of ${budget} ms passed while ${this.#subject()} ${this.#whereabouts()}`,
    );
  }

  #whereabouts(): string {
    if (this.#thread === undefined) return 'waited for its turn in the pipeline';
    if (this.#asked === 0)
      return `was in its steps before the model (${this.#stepNames(this.pipeline.before)})`;
    const open = this.#asked - this.#answered;
    if (open > 0) return `waited for ${open} of ${this.#asked} jobs of its model`;
    return `was in its steps behind the model (${this.#stepNames(this.pipeline.after)})`;
  }

  #end(end: JobEnd, outputs: Tensors): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer.cancel();
    this.#step(end.ending, end.message);
    for (const job of this.#jobs.values()) job.cancel('the request that it was a part of has ended');
    this.#jobs.clear();
    this.#inner?.release();
    if (this.#isWithThread && this.#thread !== undefined) this.#drop(this.#thread);
    const path = this.#path;
    const answer: Answer = { jobId: '', end, outputs, times: undefined, path: () => path };
    this.#watcher.ended(this);
    // Never before `submit` has returned.
    if (this.#thread === undefined) settle(() => this.#reply(answer));
    else this.#reply(answer);
  }

  #step(state: string, why: string): void {
    this.#path.push({ state, afterMs: now() - this.#cameAt, why });
  }

  #leftMs(): number {
    return this.#request.submission.spec.budgetMs - (now() - this.#cameAt);
  }

  #stepNames(steps: Pipeline['before']): string {
    return steps.map(({ name }) => name).join(', ') || 'none';
  }

  #subject(): string {
    return `model "${this.pipeline.model}"`;
  }
}

function bytesIn(tensors: Tensors): number {
  return tensors.reduce((sum, { data }) => sum + data.length, 0);
}
