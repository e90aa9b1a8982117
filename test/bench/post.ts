// What talking costs: small messages to a member in another process and its answers back, through post office and ZeroMQ,
// with few and with many under way.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Said } from '../../proto/messages.js';
import { type Member, PostOffice } from '../../runtime/post/office.js';
import { zeromqTransport } from '../../runtime/post/zeromq.js';
import { Exchanges } from './exchanges.js';
import { type Args, interleave, saySpread } from './figures.js';

export const about =
  'exchanges per second between two processes through the post office, and the time of one';
export const flags = {
  exchanges: 'how many exchanges a round has (20000)',
  rounds: 'how many rounds (5)',
};

const echo = 'echo-1.bbbbbb';

export async function run(args: Args): Promise<Record<string, number>> {
  const exchanges = args.number('exchanges', 20_000);
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const caller = new Caller();
  const endpoint = await caller.office.bind(`ipc://${folder}/post`);
  const child = fork(fileURLToPath(new URL('./floor/echo.js', import.meta.url)), [endpoint, echo]);
  await caller.met;
  const figures = await interleave(args.number('rounds', 5), {
    at1: () => caller.perSecond(1, exchanges / 10),
    at64: () => caller.perSecond(64, exchanges),
    at1024: () => caller.perSecond(1024, exchanges),
  });
  await caller.office.close(0);
  child.disconnect();
  await once(child, 'exit');
  rmSync(folder, { recursive: true, force: true });
  for (const [name, figure] of Object.entries(figures)) saySpread(`exchanges per second, ${name}`, figure);
  return {
    exchangeMicros: 1e6 / figures.at1.median,
    exchangesPerSecond64: figures.at64.median,
    exchangesPerSecond1024: figures.at1024.median,
  };
}

class Caller {
  readonly office: PostOffice;
  readonly met: Promise<Member>;
  readonly #exchanges = new Exchanges();

  constructor() {
    let meet: (member: Member) => void = () => {};
    this.met = new Promise((resolve) => {
      meet = resolve;
    });
    this.office = new PostOffice({
      self: 'caller-1.aaaaaa',
      announcement: () => ({
        type: 'member.announced',
        cluster: 'bench',
        member: ['caller-1.aaaaaa', ['router'], '', ''],
        build: '',
      }),
      transport: zeromqTransport(),
      events: {
        delivered: () => this.#exchanges.answered(),
        opened: meet,
        lost: (member, reason) => {
          throw new Error(`${member} was lost: ${reason}`);
        },
        refused: () => {},
        dropped: () => {},
        failed: (what, error) => {
          throw new Error(what, { cause: error });
        },
      },
    });
  }

  perSecond(underWay: number, exchanges: number): Promise<number> {
    return this.#exchanges.perSecond(underWay, exchanges, (job) => this.office.send(echo, request(job)));
  }
}

function request(job: number): Said<'job.enqueue'> {
  return {
    type: 'job.enqueue',
    job,
    attempt: 1,
    model: 'digits',
    version: '1',
    shapeKey: 'image:FP32:64|',
    rows: 1,
    bytes: 256,
    priority: 0,
    budgetMs: 1000,
    admitted: false,
    company: 'any',
    avoid: '',
    ownersCount: 0,
    ownersBy: '',
  };
}
