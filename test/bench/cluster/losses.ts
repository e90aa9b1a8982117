// How soon the jobs of a node that was struck are given to another worker, told from what the routers remember of them: by
// their own clock, so that neither the way of an answer to its client nor what holds up this process counts as delay.
import type { JobStep } from '../../../proto/job.js';
import type { JobList, JobView } from '../../../runtime/doors/jobs.js';
import { stepsOf } from '../../processes/busy.js';
import type { Told } from '../../processes/client.js';
import type { Place } from './fleet.js';

interface Strike {
  readonly at: number;
  readonly name: string;
  readonly way: 'SIGKILL' | 'SIGSTOP' | 'SIGTERM';
  /** What the node was given after it was lost to something else. */
  overAt: number;
}

const busyMs = 400;
/** More than a router answers, and the most that it can be asked for at once. */
const jobsPerMs = 0.4;
const jobsMost = 10_000;
/** An end is written down in whole milliseconds, and is not to seem earlier than it was. */
const roundedMs = 1;
/** What ends while it is asked is among the last as well. */
const slackMs = 500;

export class Losses {
  readonly killMs: number[] = [];
  readonly stopMs: number[] = [];
  private readonly strikes: Strike[] = [];
  private readonly answeredAt = new Map<string, number>();
  /** Of each router, by the id of this start of it, until when it was read. */
  private readonly readUntil = new Map<string, number>();
  private readonly startedAt = Date.now();

  struck({ name }: Place, way: Strike['way'], at: number): void {
    this.strikes.push({ at, name, way, overAt: Number.POSITIVE_INFINITY });
  }

  /** It is as it was. */
  over({ name }: Place): void {
    const strike = this.strikes.findLast((one) => one.name === name);
    if (strike !== undefined) strike.overAt = performance.now();
  }

  /** Workers whose node's name this is have answered of late. */
  isBusy({ name }: Place): boolean {
    return performance.now() - this.lastAnswerOf(name) < busyMs;
  }

  /** By the clock of this process; long ago where there was none. */
  lastAnswerOf(name: string): number {
    return this.answeredAt.get(name) ?? Number.NEGATIVE_INFINITY;
  }

  told({ status, path, toldAt }: Told): void {
    if (status !== 'OK') return;
    const worker = stepsOf(path).findLast(({ state }) => state === 'assigned')?.why;
    const name = /^(.*)-worker-\d+\./.exec(worker ?? '')?.[1];
    if (name !== undefined) this.answeredAt.set(name, toldAt);
  }

  /** What has ended there since the last time: before a router is struck, for what it remembers goes with it. */
  async read(routers: readonly Place[]): Promise<void> {
    await Promise.all(routers.map((place) => this.readOne(place)));
  }

  private async readOne({ node, name }: Place): Promise<void> {
    const { process } = await node.event('node.serving');
    const [from, until] = [this.readUntil.get(String(process)) ?? this.startedAt, Date.now()];
    const last = Math.min(jobsMost, Math.ceil((until - from + slackMs) * jobsPerMs));
    const { ended } = (await node.get(`/v2/signalbox/jobs?last=${last}`)) as JobList;
    const news = ended.filter((job) => endOf(job) >= from && endOf(job) < until);
    if (news.length === last) throw new Error(`${name} ended more than ${last} jobs since it was asked last`);
    this.readUntil.set(String(process), until);
    const aheadMs = Date.now() - performance.now();
    for (const job of news) this.hear(job, endOf(job) + roundedMs - aheadMs);
  }

  private hear({ path }: JobView, endedAt: number): void {
    const endMs = path.at(-1)?.afterMs ?? 0;
    const hereAt = (step: JobStep): number => endedAt - (endMs - step.afterMs);
    for (const [index, step] of path.entries()) {
      // Who only waited at a scheduler waits on at the next one.
      const next = path.slice(index).find(({ state }) => state === 'assigned' || step.state === 'queued');
      const strike = this.strikes.findLast((one) => one.at < hereAt(step) && isLossOf(one, step));
      if (next === undefined || strike === undefined || strike.way === 'SIGTERM') continue;
      if (hereAt(path[index - 1] ?? step) > strike.overAt) continue;
      (strike.way === 'SIGKILL' ? this.killMs : this.stopMs).push(hereAt(next) - strike.at);
    }
  }
}

/** Milliseconds since 1970. */
function endOf({ endedAt }: JobView): number {
  return Date.parse(endedAt ?? '');
}

/** A job that its worker lost, or one that waited at a scheduler. */
function isLossOf({ name }: Strike, { state, why }: JobStep): boolean {
  if (state === 'retrying') return why.startsWith(`${name}-worker-`) && /killed|silent|unknown/.test(why);
  return state === 'queued' && why.startsWith(`${name}.`) && why.endsWith('was lost');
}
