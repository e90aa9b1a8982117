// A steady load of requests that each carry a number of their own: so many in flight at any time, every answer held
// against its question.
import type { GrpcClient, Told } from './client.js';
import { rowOf } from './client.js';

export interface LoadResult {
  readonly sent: number;
  /** Requests that ended in anything but their own right answer. */
  readonly errors: readonly string[];
  /** Answers to what had been answered or never been asked; over a stream only, for unary calls cannot have them. */
  readonly doubles: number;
  readonly unanswered: number;
}

export interface LoadOptions {
  readonly model: string;
  readonly unary: number;
  readonly streamed?: number;
  readonly deadlineMs?: number;
  /** Hears of each answer of a unary call. */
  readonly told?: (told: Told) => void;
  readonly answered?: () => void;
}

const firstNumber = 1000;
const errorsKept = 20;

export class Load {
  private readonly client: GrpcClient;
  private readonly options: LoadOptions;
  private readonly loops: Promise<void>[] = [];
  private readonly errors: string[] = [];
  private readonly open = new Map<string, () => void>();
  private stopping = false;
  private number = firstNumber;
  private sent = 0;
  private doubles = 0;
  private failed = 0;

  constructor(client: GrpcClient, options: LoadOptions) {
    this.client = client;
    this.options = options;
  }

  start(): this {
    const { unary, streamed = 0 } = this.options;
    for (let client = 0; client < unary; client++) this.loops.push(this.ask());
    if (streamed > 0) this.loops.push(this.talk(streamed));
    return this;
  }

  get answered(): number {
    return this.sent - this.open.size;
  }

  async stop(): Promise<LoadResult> {
    this.stopping = true;
    await Promise.all(this.loops);
    const { sent, errors, doubles } = this;
    const more = this.failed > errors.length ? [`and ${this.failed - errors.length} more`] : [];
    return { sent, errors: [...errors, ...more], doubles, unanswered: this.open.size };
  }

  /** The first of what went wrong so far. */
  get failuresSeen(): readonly string[] {
    return this.errors;
  }

  get failures(): number {
    return this.failed;
  }

  private async ask(): Promise<void> {
    const { model, deadlineMs = 20_000, told, answered } = this.options;
    while (!this.stopping) {
      const value = this.next();
      const answer = await this.client.infer({ ...rowOf(model, value), deadlineMs });
      if (answer.status !== 'OK') this.fail(`${answer.status} ${answer.message} after ${answer.path}`);
      else if (answer.values[0] !== value) this.fail(`${value} was answered with ${answer.values[0]}`);
      told?.(answer);
      answered?.();
    }
  }

  /** One stream with so many open questions at any time. */
  private async talk(width: number): Promise<void> {
    const { model, answered } = this.options;
    const hear = (id: string, error: string, values: Float32Array): void => {
      const done = this.open.get(id);
      if (done === undefined) {
        this.doubles++;
        return;
      }
      this.open.delete(id);
      if (error !== '') this.fail(error);
      else if (String(values[0]) !== id) this.fail(`${id} was answered with ${values[0]}`);
      answered?.();
      done();
    };
    const stream = this.client.stream(hear, () => {
      for (const done of this.open.values()) done();
    });
    const ask = async (): Promise<void> => {
      while (!this.stopping && stream.fault() === '') {
        const id = String(this.next());
        await new Promise<void>((resolve) => {
          this.open.set(id, resolve);
          stream.send({ ...rowOf(model, Number(id)), id });
          if (stream.fault() !== '') resolve();
        });
      }
    };
    await Promise.all(Array.from({ length: width }, ask));
    if (stream.fault() !== '') this.fail(`the stream broke: ${stream.fault()}`);
    await stream.end();
  }

  private next(): number {
    this.sent++;
    // Up to here every whole number is a float.
    this.number = this.number >= 2 ** 24 - 1 ? firstNumber : this.number + 1;
    return this.number;
  }

  private fail(what: string): void {
    this.failed++;
    if (this.errors.length < errorsKept) this.errors.push(what);
  }
}
