// One request on its way through its steps, inside a pipeline thread: before, the model's jobs, after. It is pulled from
// its end, so that no more pieces exist at a time than the model works on.
import { isErrorCode } from '../../proto/errors.js';
import { now } from '../clock.js';
import type { Pipeline } from './declaration.js';
import { joinRows, wrongTensors } from './rows.js';
import { type Step, StepError, type StepRequest, type Tensors } from './step.js';

/** A pipeline whose steps are loaded. */
export interface OpenPipeline {
  readonly before: readonly NamedStep[];
  readonly after: readonly NamedStep[];
}

export interface NamedStep {
  readonly name: string;
  readonly step: Step;
}

type Pieces = AsyncIterable<Tensors>;

export interface PassageWatcher {
  ask(piece: number, inputs: Tensors): void;
  /** The code of a step is about to run. */
  runs(): void;
}

interface Asked {
  resolve(outputs: Tensors): void;
  reject(fault: Error): void;
}

export class Passage implements StepRequest {
  readonly model: string;
  readonly version: string;
  readonly parameters: StepRequest['parameters'];
  readonly kept = new Map<string, unknown>();
  readonly #pipeline: Pipeline;
  readonly #deadlineAt: number;
  readonly #watcher: PassageWatcher;
  readonly #asked = new Map<number, Asked>();
  #pieceCount = 0;
  #isDropped = false;

  constructor(
    pipeline: Pipeline,
    parameters: StepRequest['parameters'],
    leftMs: number,
    watcher: PassageWatcher,
  ) {
    this.model = pipeline.model;
    this.version = pipeline.version;
    this.parameters = parameters;
    this.#pipeline = pipeline;
    this.#deadlineAt = now() + leftMs;
    this.#watcher = watcher;
  }

  leftMs(): number {
    return this.#deadlineAt - now();
  }

  check(): void {
    if (this.#isDropped) throw new StepError('CANCELLED', 'the request has ended');
    if (this.leftMs() <= 0) throw new StepError('DEADLINE_EXCEEDED', 'the deadline passed');
  }

  /** Nobody waits for it: what is begun comes to its end, nothing else does. */
  drop(): void {
    this.#isDropped = true;
    for (const asked of this.#asked.values())
      asked.reject(new StepError('CANCELLED', 'the request has ended'));
    this.#asked.clear();
  }

  answer(piece: number, outputs: Tensors): void {
    this.#asked.get(piece)?.resolve(outputs);
    this.#asked.delete(piece);
  }

  async run(inputs: Tensors, { before, after }: OpenPipeline): Promise<Tensors> {
    let pieces: Pieces = once(inputs);
    for (const step of before) pieces = this.#through(step, pieces);
    pieces = this.#answers(pieces);
    for (const step of after)
      pieces = step.step.join === undefined ? this.#through(step, pieces) : this.#joined(step, pieces);
    const whole: Tensors[] = [];
    for await (const piece of pieces) whole.push(piece);
    return joinRows(whole);
  }

  async *#through(named: NamedStep, pieces: Pieces): Pieces {
    for await (const piece of pieces) {
      this.#begin(named);
      const made = await this.#guarded(named, async () => {
        if (named.step.apply === undefined)
          throw new StepError('MODEL_FAILED', 'it has neither apply nor join');
        return named.step.apply(piece, this);
      });
      yield* this.#parts(named, made);
    }
  }

  async *#joined(named: NamedStep, pieces: Pieces): Pieces {
    this.#begin(named);
    yield* this.#parts(named, await this.#guarded(named, async () => named.step.join?.(pieces, this)));
  }

  /** What a step made, one or many, the next one when it is asked for. */
  async *#parts(named: NamedStep, made: unknown): Pieces {
    if (!isIterable(made)) {
      yield checked(named, made);
      return;
    }
    const parts = iteratorOf(made);
    try {
      for (;;) {
        const next = await this.#guarded(named, async () => parts.next());
        if (next.done === true) break;
        yield checked(named, next.value);
        this.#begin(named);
      }
    } finally {
      await parts.return?.();
    }
  }

  /** So many pieces are with the model at a time; what comes back goes on in the order in which it went. */
  async *#answers(pieces: Pieces): Pieces {
    const source = pieces[Symbol.asyncIterator]();
    const flight: Promise<Tensors>[] = [];
    let isOver = false;
    try {
      for (;;) {
        while (!isOver && flight.length < this.#pipeline.jobsInFlightMax) {
          const next = await source.next();
          if (next.done === true) isOver = true;
          else flight.push(this.#outputsOf(next.value));
        }
        const first = flight.shift();
        if (first === undefined) return;
        yield await first;
      }
    } finally {
      await source.return?.();
    }
  }

  #outputsOf(inputs: Tensors): Promise<Tensors> {
    // Nobody would answer.
    this.check();
    const piece = this.#pieceCount++;
    const outputs = new Promise<Tensors>((resolve, reject) => this.#asked.set(piece, { resolve, reject }));
    // It may fail before its turn has come.
    outputs.catch(() => {});
    this.#watcher.ask(piece, inputs);
    return outputs;
  }

  #begin({ name }: NamedStep): void {
    if (this.leftMs() <= 0 && !this.#isDropped) {
      throw new StepError('DEADLINE_EXCEEDED', `the deadline passed before the step ${name} was begun`);
    }
    this.check();
  }

  /** What a step throws names it. */
  async #guarded<T>({ name }: NamedStep, run: () => Promise<T>): Promise<T> {
    this.#watcher.runs();
    try {
      return await run();
    } catch (fault) {
      throw faultOf(name, fault);
    }
  }
}

const told = new WeakSet<Error>();

/** A fault that comes through several steps keeps the name of the first. */
function faultOf(name: string, fault: unknown): Error {
  if (fault instanceof Error && told.has(fault)) return fault;
  const code = (fault as { code?: unknown } | undefined)?.code;
  const words = fault instanceof Error ? fault.message : String(fault);
  const own = new StepError(isErrorCode(code) ? code : 'MODEL_FAILED', `${name}: ${words}`);
  told.add(own);
  return own;
}

function isIterable(made: unknown): made is Iterable<Tensors> | AsyncIterable<Tensors> {
  return typeof made === 'object' && made !== null && !Array.isArray(made);
}

function iteratorOf(
  made: Iterable<Tensors> | AsyncIterable<Tensors>,
): AsyncIterator<Tensors> | Iterator<Tensors> {
  if (Symbol.asyncIterator in made) return made[Symbol.asyncIterator]();
  if (Symbol.iterator in made) return made[Symbol.iterator]();
  throw new StepError(
    'MODEL_FAILED',
    'it gave neither a list of tensors nor something that gives such lists',
  );
}

async function* once(tensors: Tensors): Pieces {
  yield tensors;
}

function checked({ name }: NamedStep, made: unknown): Tensors {
  const wrong = wrongTensors(made);
  if (wrong !== undefined) throw new StepError('MODEL_FAILED', `${name}: ${wrong}`);
  return made as Tensors;
}
