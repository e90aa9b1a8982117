// A batch that a worker holds: which of its members are still wanted, whether it has started, and how it is answered.
import type { MemberId } from '../../proto/ids.js';
import type { Place, Said } from '../../proto/messages.js';
import type { RunFinished } from '../facts.js';
import type { WorkerShare } from './shares.js';

export type MemberCode = Said<'batch.finished'>['codes'][number];

export class Held {
  readonly key: string;
  readonly router: MemberId;
  readonly run: Said<'batch.run'>;
  readonly place: Place;
  readonly takenAt: number;
  /** Per member: empty while it is to be run. */
  readonly codes: MemberCode[];
  startedAt: number | undefined = undefined;
  /** When its run is taken for hung. */
  hangsAt = Number.POSITIVE_INFINITY;
  result: RunFinished | undefined = undefined;
  /** Whether the router was asked for its word to start, and gave it. */
  go: 'none' | 'asked' | 'given' = 'none';
  unwanted = false;
  share: WorkerShare | undefined = undefined;

  constructor(key: string, router: MemberId, run: Said<'batch.run'>, place: Place, now: number) {
    this.key = key;
    this.router = router;
    this.run = run;
    this.place = place;
    this.takenAt = now;
    this.codes = run.jobs.map(() => '');
  }

  /** Members to be run, by their place in the batch. */
  alive(): number[] {
    const members: number[] = [];
    for (let member = 0; member < this.codes.length; member++)
      if (this.codes[member] === '') members.push(member);
    return members;
  }

  aliveRows(): number {
    return this.alive().reduce((rows, member) => rows + (this.run.rows[member] as number), 0);
  }

  /** Leaves out whose time is over; how many are left. */
  dropLate(now: number): number {
    let left = 0;
    for (let member = 0; member < this.codes.length; member++) {
      if (this.codes[member] !== '') continue;
      if (this.takenAt + (this.run.budgetsMs[member] as number) <= now)
        this.codes[member] = 'DEADLINE_EXCEEDED';
      else left++;
    }
    return left;
  }

  /** Only what has not started can be left out; what runs is answered to nobody. */
  withdraw(jobs: readonly number[]): void {
    if (this.startedAt !== undefined) return;
    this.run.jobs.forEach((job, member) => {
      if (this.codes[member] === '' && jobs.includes(job)) this.codes[member] = 'CANCELLED';
    });
  }
}

export function heldKey(scheduler: MemberId, batch: number): string {
  return `${scheduler}#${batch}`;
}

export function startedMessage(held: Held): Said<'batch.started'> {
  const { batch, epoch, jobs, attempts } = held.run;
  return { type: 'batch.started', batch, epoch, jobs, attempts };
}

export function finishedMessage(
  held: Held,
  codeOf: (member: number) => MemberCode,
  reason: string,
): Said<'batch.finished'> {
  const { batch, epoch, jobs, attempts, rows } = held.run;
  const { result } = held;
  const answered = result?.code === '';
  return {
    type: 'batch.finished',
    batch,
    epoch,
    jobs,
    attempts,
    rows,
    codes: jobs.map((_, member) => codeOf(member)),
    reason,
    outputs: answered ? result.outputs : [],
    sizes: answered ? result.sizes : [],
    inputMs: result?.inputMs ?? 0,
    computeMs: result?.computeMs ?? 0,
    outputMs: result?.outputMs ?? 0,
  };
}
