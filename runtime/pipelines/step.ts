// What a step of a pipeline is: what a request passes on its way to the tensor model (`before`) and its answer on the way
// back (`after`). Steps run in pipeline threads, so that what they do and the libraries that they load delay nobody else.
import type { ErrorCode } from '../../proto/errors.js';
import type { Tensor, TensorHeader } from '../../proto/tensor.js';
import type { z } from '../shape.js';

/** One request as its steps see it; it stays in one thread from its first step to its last. */
export interface StepRequest {
  readonly model: string;
  readonly version: string;
  /** What the client said beside its tensors, such as `format` or `scale`. */
  readonly parameters: ReadonlyMap<string, boolean | number | bigint | string>;
  /** What one step leaves for another: sizes, colours, the order of sentences. Nobody else sees it. */
  readonly kept: Map<string, unknown>;
  /** Until the request's deadline; at 0 or below it no further step is begun. */
  leftMs(): number;
  /** Throws what ends the request once its time is up or its client has gone: for steps that take long. */
  check(): void;
}

export type Tensors = readonly Tensor[];
export type Piece = Tensors | Promise<Tensors>;

/**
 * A step that is open: made once for each model and thread, and used for one request after the other, or several that
 * take turns. It has `apply`, or, in `after` only, `join`.
 */
export interface Step {
  /**
   * From what came to what goes on. In `before` that may be many pieces: an iterable is asked for the next one when the
   * model has room for it, and each becomes a job of its own (a tile, a bucket of sentences of one length). In `after` it
   * is called for each piece of the answer, in their order; behind a `join`, for the whole.
   */
  apply?(tensors: Tensors, request: StepRequest): Piece | Iterable<Tensors> | AsyncIterable<Tensors>;
  /**
   * From the pieces of the answer, in their order, to the whole, or to several wholes. Each piece comes as soon as the
   * model has given it.
   */
  join?(
    pieces: AsyncIterable<Tensors>,
    request: StepRequest,
  ): Piece | Iterable<Tensors> | AsyncIterable<Tensors>;
}

/** Where the files of the model are. */
export interface StepPlace {
  readonly model: string;
  readonly version: string;
  /** The model's folder, in which config.yaml is. */
  readonly folder: string;
  /** That of the version, in which model.onnx is. */
  readonly versionFolder: string;
}

/** What a module has for a step: loaded in pipeline threads only. `options` are as the config gives them, checked. */
export interface StepMaker<Options> {
  open(options: Options, place: StepPlace): Step | Promise<Step>;
}

/** A step that comes with Signalbox: all that can be known of it without loading what it needs. */
export interface StepKind<Shape extends z.ZodType = z.ZodType> {
  readonly side: 'before' | 'after';
  readonly meaning: string;
  /** Of its options, each with a `.describe`; what it refuses is told with file, key and value. */
  readonly options: Shape;
  /** Of the first step: the inputs that clients see. -1 in a shape takes any size; there are no rows apart. */
  takes?(options: z.output<Shape>): readonly TensorHeader[];
  /** Of the last step: the outputs that clients see. */
  gives?(options: z.output<Shape>): readonly TensorHeader[];
  /** Sentences that say which of its files are missing or wrong; cheap, for it is asked at every start. */
  check?(options: z.output<Shape>, place: StepPlace): readonly string[];
  load(): Promise<StepMaker<z.output<Shape>>>;
}

/** Keeps the options' type where kinds are listed together. */
export function stepKind<Shape extends z.ZodType>(kind: StepKind<Shape>): StepKind {
  return kind as unknown as StepKind;
}

/** An end of a request that is known by its code, above all INPUT_INVALID; what else a step throws is MODEL_FAILED. */
export class StepError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'StepError';
    this.code = code;
  }
}
