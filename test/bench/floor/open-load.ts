// Load that comes whether it is answered or not, as from many clients who know nothing of each other: at random times from
// a seed, each with a deadline. In a process of its own; what it tells of each answer is the time at which it was here.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Asker } from './asker.js';
import { chance, gapMs } from './chance.js';

export interface Rain {
  readonly perSecond: number;
  readonly seconds: number;
  readonly deadlineMs: number;
  readonly seed: number;
}

export interface Heard {
  readonly sent: number;
  /** Good answers by their deadline, and good ones that came after it. */
  readonly inTime: number;
  readonly tooLate: number;
  /** From the request to its refusal, of each that was refused for want of time. */
  readonly refusedMs: readonly number[];
  /** How far past its deadline the last word came, of each where it did. */
  readonly lateMs: readonly number[];
  /** How each ended, by code. */
  readonly codes: Readonly<Record<string, number>>;
  readonly unanswered: number;
  /** How late this process itself was with the requests that it sent. */
  readonly lagMs: readonly number[];
}

interface Order {
  readonly port: number;
  readonly body: string;
}

const sessions = 8;
const patienceMs = 3000;
const refusals = new Set(['OVERLOADED', 'QUEUE_FULL', 'DISPLACED']);

export class OpenLoad {
  private readonly child: ChildProcess;

  constructor(port: number, body: Buffer) {
    const order: Order = { port, body: body.toString('base64') };
    this.child = fork(fileURLToPath(import.meta.url), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child.send(order);
  }

  fall(rain: Rain): Promise<Heard> {
    return this.hear(rain) as Promise<Heard>;
  }

  /** Good answers per second when so many ask, each again as soon as it is answered. */
  closed(clients: number, seconds: number): Promise<number> {
    return this.hear({ clients, seconds }) as Promise<number>;
  }

  end(): void {
    this.child.disconnect();
  }

  private hear(order: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`the load ended with ${code}`));
      this.child.once('exit', ended);
      this.child.once('message', (told) => {
        this.child.off('exit', ended);
        resolve(told);
      });
      this.child.send(order);
    });
  }
}

class Tally {
  inTime = 0;
  tooLate = 0;
  readonly refusedMs: number[] = [];
  readonly lateMs: number[] = [];
  readonly lagMs: number[] = [];
  readonly codes: Record<string, number> = {};
  sent = 0;
  answered = 0;

  hear(status: string, code: string, tookMs: number, deadlineMs: number): void {
    this.answered++;
    const name = status === '0' ? 'OK' : code || `status ${status}`;
    this.codes[name] = (this.codes[name] ?? 0) + 1;
    if (tookMs > deadlineMs) this.lateMs.push(tookMs - deadlineMs);
    if (status === '0') {
      if (tookMs <= deadlineMs) this.inTime++;
      else this.tooLate++;
    } else if (refusals.has(code)) this.refusedMs.push(tookMs);
  }

  told(): Heard {
    const { sent, answered, inTime, tooLate, refusedMs, lateMs, codes, lagMs } = this;
    return { sent, unanswered: sent - answered, inTime, tooLate, refusedMs, lateMs, codes, lagMs };
  }
}

function rain(asker: Asker, body: Buffer, order: Rain): Promise<Heard> {
  const { perSecond, seconds, deadlineMs } = order;
  const random = chance(order.seed);
  const tally = new Tally();
  const begun = performance.now();
  let dueMs = 0;
  const send = (): void => {
    const sentAt = performance.now();
    tally.sent++;
    tally.lagMs.push(sentAt - begun - dueMs);
    asker.ask(body, deadlineMs, ({ status, code }) => {
      tally.hear(status, code, performance.now() - sentAt, deadlineMs);
    });
  };
  return new Promise((resolve) => {
    const tick = (): void => {
      while (dueMs < seconds * 1000 && begun + dueMs <= performance.now()) {
        send();
        dueMs += gapMs(random, perSecond / 1000);
      }
      if (dueMs < seconds * 1000) setTimeout(tick, begun + dueMs - performance.now());
      else settle(begun + seconds * 1000 + deadlineMs + patienceMs);
    };
    const settle = (until: number): void => {
      if (tally.answered === tally.sent || performance.now() > until) resolve(tally.told());
      else setTimeout(settle, 5, until);
    };
    tick();
  });
}

async function ring(asker: Asker, body: Buffer, clients: number, seconds: number): Promise<number> {
  const begun = performance.now();
  let good = 0;
  const one = async (): Promise<void> => {
    while (performance.now() < begun + seconds * 1000) {
      const { status } = await new Promise<{ status: string }>((resolve) =>
        asker.ask(body, undefined, resolve),
      );
      if (status === '0') good++;
    }
  };
  await Promise.all(Array.from({ length: clients }, one));
  return (good * 1000) / (performance.now() - begun);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.on('disconnect', () => process.exit(0));
  process.once('message', async (order: Order) => {
    const body = Buffer.from(order.body, 'base64');
    const connecting = new Asker(order.port, sessions).connected();
    process.on('message', async (next: Rain | { clients: number; seconds: number }) => {
      const asker = await connecting;
      const told =
        'clients' in next
          ? await ring(asker, body, next.clients, next.seconds)
          : await rain(asker, body, next);
      process.send?.(told);
    });
  });
}
