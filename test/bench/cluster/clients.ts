// Clients that know both routers, by gRPC, by streams and by REST: whoever's connection breaks because its router was struck
// asks the other. Those by streams and REST look who is ready, as a load balancer does. Everything else that is not the one
// right answer is an error, and is counted as such.
import { Agent, request } from 'node:http';
import { GrpcClient, type InferStream, rowOf, type Told } from '../../processes/client.js';
import { pause } from '../../processes/harness.js';
import { models, type Place } from './fleet.js';

export interface ClientCounts {
  /** For each router: unary calls at a time over gRPC, over REST, and requests in a stream. */
  readonly unary: number;
  readonly rest: number;
  readonly streamed: number;
}

export interface Tally {
  sent: number;
  /** Right answers in time. */
  answered: number;
  errors: number;
  /** Requests that came to no end at all. */
  lost: number;
  /** Answers after the one: only a stream can carry one, so only those are looked at. */
  doubles: number;
  /** Of those sent, by stream. */
  streamed: number;
  /** Those that had to ask the other router. */
  moved: number;
}

export interface Found extends Tally {
  readonly perSecond: number;
  /** The longest that somebody waited for an answer, asking another router included. */
  readonly longestMs: number;
}

/**
 * What a client may bear from a router by asking the other one. Of one that was killed: that the connection breaks. Of one
 * that was asked to end: only that it takes no connection, so that nothing was asked of it.
 */
export type Forgiven = 'nothing' | 'refused' | 'broken';

interface Options {
  readonly counts: ClientCounts;
  readonly forgives: (router: Place) => Forgiven;
  readonly told: (told: Told) => void;
}

type Ask = (door: Door, model: string, value: number) => Promise<Outcome>;

type Outcome =
  | { readonly type: 'answered'; readonly value: number }
  /** No connection could be made. */
  | { readonly type: 'refused'; readonly why: string }
  /** The connection broke before the answer came. */
  | { readonly type: 'broken'; readonly why: string }
  | { readonly type: 'wrong'; readonly why: string };

/** In time is what comes within it. */
export const deadlineMs = 5000;
/** Far past its deadline it is lost: nobody ended it. */
const lostMs = 3 * deadlineMs;
const betweenMs = 15;
const shunMs = 500;
/** Both have been asked, and one of them is about to be back. */
const againMs = 150;
const triesMax = 10;
const errorsKept = 12;
const lookMs = 100;

/** One router, as its clients see it. */
interface Door {
  readonly place: Place;
  readonly grpc: GrpcClient;
  readonly agent: Agent;
  shunnedUntil: number;
  isReady: boolean;
  stream: Conversation | undefined;
}

export class Clients {
  readonly tally: Tally = { sent: 0, answered: 0, errors: 0, lost: 0, doubles: 0, streamed: 0, moved: 0 };
  readonly errors: string[] = [];
  private readonly doors: readonly Door[];
  private readonly options: Options;
  private readonly loops: Promise<void>[] = [];
  private isStopping = false;
  private number = 1000;
  private readonly looks = new Set<{ longestMs: number }>();

  constructor(routers: readonly Place[], options: Options) {
    this.options = options;
    this.doors = routers.map((place) => ({
      place,
      grpc: new GrpcClient(Number(place.options.flags['grpc-port']), place.address),
      agent: new Agent({ keepAlive: true, maxSockets: 64 }),
      shunnedUntil: 0,
      isReady: true,
      stream: undefined,
    }));
  }

  start(): this {
    const { unary, rest, streamed } = this.options.counts;
    for (const home of this.doors) {
      this.loops.push(this.keepLooking(home));
      for (let n = 0; n < unary; n++) this.loops.push(this.loop(home, this.byGrpc));
      for (let n = 0; n < rest; n++) this.loops.push(this.loop(home, byRest));
      for (let n = 0; n < streamed; n++) this.loops.push(this.loop(home, this.byStream));
    }
    return this;
  }

  /** Answers and questions since another look. */
  since(before: Tally): Tally {
    const keys = Object.keys(before) as (keyof Tally)[];
    return Object.fromEntries(keys.map((key) => [key, this.tally[key] - before[key]])) as unknown as Tally;
  }

  /** From now on; the answer is what has come since. */
  look(): () => Found {
    const before = this.now();
    const begunAt = performance.now();
    const look = { longestMs: 0 };
    this.looks.add(look);
    return () => {
      this.looks.delete(look);
      const tally = this.since(before);
      const perSecond = (tally.answered / (performance.now() - begunAt)) * 1000;
      return { ...tally, ...look, perSecond };
    };
  }

  now(): Tally {
    return { ...this.tally };
  }

  async stop(): Promise<Tally> {
    this.isStopping = true;
    await Promise.all(this.loops);
    for (const { grpc, agent, stream } of this.doors) {
      stream?.close();
      grpc.close();
      agent.destroy();
    }
    return this.now();
  }

  private async keepLooking(door: Door): Promise<void> {
    while (!this.isStopping) {
      // A machine without time for an answer is not one that goes.
      door.isReady = (await door.place.node.isReady().catch(() => undefined)) ?? door.isReady;
      await pause(lookMs);
    }
  }

  private async loop(home: Door, ask: Ask): Promise<void> {
    while (!this.isStopping) {
      await this.once(home, ask);
      await pause(betweenMs);
    }
  }

  private async once(home: Door, ask: Ask): Promise<void> {
    const { tally } = this;
    const value = ++this.number;
    const model = models[value % models.length] as string;
    tally.sent++;
    if (ask === this.byStream) tally.streamed++;
    const sentAt = performance.now();
    let door = this.fit(home, ask);
    for (let tries = 1; ; tries++) {
      const before = this.options.forgives(door.place);
      const outcome = await orLost(ask(door, model, value));
      if (outcome === 'lost') {
        tally.lost++;
        return this.fail(`${value} for ${model} at ${door.place.name} came to no end`);
      }
      if (outcome.type === 'answered') {
        if (outcome.value !== value) return this.fail(`${value} was answered with ${outcome.value}`);
        tally.answered++;
        const tookMs = performance.now() - sentAt;
        for (const look of this.looks) look.longestMs = Math.max(look.longestMs, tookMs);
        return;
      }
      const isForgiven = [before, this.options.forgives(door.place)].some((by) => bears(by, outcome));
      if (!isForgiven || tries >= triesMax)
        return this.fail(`${outcome.why} (${door.place.name}, try ${tries})`);
      if (tries === 1) tally.moved++;
      else await pause(againMs);
      door.shunnedUntil = performance.now() + shunMs;
      door = this.other(door);
    }
  }

  /** Unary calls over gRPC are told by the connection where to go. */
  private fit(home: Door, ask: Ask): Door {
    const other = this.other(home);
    if (home.shunnedUntil > performance.now()) return other;
    return ask === this.byGrpc || home.isReady || !other.isReady ? home : other;
  }

  private other(door: Door): Door {
    return this.doors[(this.doors.indexOf(door) + 1) % this.doors.length] as Door;
  }

  private fail(why: string): void {
    this.tally.errors++;
    if (this.errors.length < errorsKept) this.errors.push(`${new Date().toISOString().slice(11, 23)} ${why}`);
  }

  private readonly byGrpc: Ask = async (door, model, value) => {
    const told = await door.grpc.infer({ ...rowOf(model, value), deadlineMs });
    this.options.told(told);
    if (told.status === 'OK') return { type: 'answered', value: told.values[0] ?? Number.NaN };
    const why = `${told.status} ${told.code} ${told.message} after ${told.path}`;
    return { type: told.code === '' && told.status === 'UNAVAILABLE' ? breakOf(told.message) : 'wrong', why };
  };

  private readonly byStream: Ask = (door, model, value) => {
    if (door.stream === undefined || door.stream.isOver) {
      door.stream = new Conversation(door.grpc, () => this.tally.doubles++);
    }
    return door.stream.ask(model, value);
  };
}

function bears(by: Forgiven, { type }: Outcome): boolean {
  return type === 'refused' ? by !== 'nothing' : type === 'broken' && by === 'broken';
}

/** Of a call over gRPC that came to no answer: whether it had a connection. */
function breakOf(fault: string): 'refused' | 'broken' {
  return /ECONNREFUSED|No connection established/.test(fault) ? 'refused' : 'broken';
}

/** One stream: each question has one answer, and what comes after that is one too many. */
class Conversation {
  private readonly stream: InferStream;
  private readonly open = new Map<string, (outcome: Outcome) => void>();

  constructor(client: GrpcClient, isDouble: () => void) {
    const hear = (id: string, error: string, values: Float32Array): void => {
      const done = this.open.get(id);
      this.open.delete(id);
      if (done === undefined) isDouble();
      else if (error === '') done({ type: 'answered', value: values[0] ?? Number.NaN });
      else done({ type: 'wrong', why: error });
    };
    this.stream = client.stream(hear, () => this.break());
  }

  get isOver(): boolean {
    return this.stream.fault() !== '';
  }

  ask(model: string, value: number): Promise<Outcome> {
    return new Promise((resolve) => {
      const id = String(value);
      this.open.set(id, resolve);
      this.stream.send({ ...rowOf(model, value), id, timeoutMs: deadlineMs });
      if (this.isOver) this.break();
    });
  }

  close(): void {
    this.stream.cancel();
  }

  private break(): void {
    const fault = this.stream.fault();
    for (const done of this.open.values()) done({ type: breakOf(fault), why: `the stream broke: ${fault}` });
    this.open.clear();
  }
}

function byRest({ place, agent }: Door, model: string, value: number): Promise<Outcome> {
  const { shape, data } = rowOf(model, value);
  const body = JSON.stringify({
    parameters: { timeout: deadlineMs * 1000 },
    inputs: [{ name: 'x', datatype: 'FP32', shape, data: [...data] }],
  });
  return new Promise((resolve) => {
    const broken = ({ code, message }: NodeJS.ErrnoException): void =>
      resolve({ type: code === 'ECONNREFUSED' ? 'refused' : 'broken', why: `REST: ${message}` });
    const asked = request(
      {
        host: place.address,
        port: Number(place.options.flags['http-port']),
        path: `/v2/models/${model}/infer`,
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', broken);
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          if (answer.statusCode !== 200) {
            return resolve({ type: 'wrong', why: `REST: ${answer.statusCode} ${text.slice(0, 400)}` });
          }
          const said = JSON.parse(text) as { outputs: { data: number[] }[] };
          resolve({ type: 'answered', value: said.outputs[0]?.data[0] ?? Number.NaN });
        });
      },
    );
    asked.on('error', broken);
    asked.end(body);
  });
}

async function orLost(outcome: Promise<Outcome>): Promise<Outcome | 'lost'> {
  let late: NodeJS.Timeout | undefined;
  const lost = new Promise<'lost'>((resolve) => {
    late = setTimeout(() => resolve('lost'), lostMs);
  });
  const first = await Promise.race([outcome, lost]);
  clearTimeout(late);
  return first;
}
