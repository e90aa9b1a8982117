// What the doors have in common: how they are started and stopped, what they log to, which bounds they keep, and how
// a refusal looks before it becomes a gRPC status or an HTTP answer.
import type { ErrorCode } from '../../proto/errors.js';
import { errors, SignalboxError } from '../../proto/errors.js';
import type { JobStep } from '../../proto/job.js';
import type { Log } from '../log.js';
import { version } from '../version.js';
import type { Answer } from './engine.js';
import { headerSafe, tidyText } from './sentence.js';

export type DoorLog = Pick<Log, 'info' | 'warn' | 'error'>;

export interface Door {
  /** Rejects with a sentence for people when the port can't be had. */
  start(): Promise<{ readonly port: number }>;
  /** What comes is answered still; clients are asked to use a connection for nothing more, where the protocol has that. */
  part?(): void;
  /**
   * No new connection, and nothing new on the old ones, where the protocol has clients ask elsewhere then by themselves. Resolves
   * when what may have been asked before they knew has come, or after `graceMs`.
   */
  shut?(graceMs: number): Promise<void>;
  /** Takes nothing new, lets what runs finish for at most `graceMs`, then closes what is left. */
  stop(graceMs: number): Promise<void>;
}

export interface DoorOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly serverVersion: string;
  readonly requestBytesMax: number;
  readonly deadlineDefaultMs: number;
  readonly deadlineMaxMs: number;
  /** Clients give priorities from 1 (first) to this many; inside they count from 0. */
  readonly priorityLevels: number;
  readonly priorityDefault: number;
  readonly streamInFlightMax: number;
  /** Of the simple service; empty when none is configured. */
  readonly defaultModel: string;
  readonly bodyTimeoutMs: number;
}

export const doorDefaults: DoorOptions = {
  host: '127.0.0.1',
  port: 0,
  serverVersion: version,
  requestBytesMax: 64 * 1024 * 1024,
  deadlineDefaultMs: 30_000,
  deadlineMaxMs: 3_600_000,
  priorityLevels: 3,
  priorityDefault: 2,
  streamInFlightMax: 128,
  defaultModel: '',
  bodyTimeoutMs: 30_000,
};

const tooMany = 429;
/** Who is told to come back is told when, also where nobody could estimate it. */
const unknownRetryMs = 1000;

export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  /** Empty when it was refused before it became a job. */
  readonly job: string;
  readonly path: string;
  readonly retryAfterMs: number;
}

/** The refusal behind whatever was thrown. What nobody meant to throw is logged and told as INTERNAL, without details. */
export function refusalOf(thrown: unknown, log: DoorLog): Refusal {
  if (thrown instanceof SignalboxError) {
    return refuse(thrown.code, thrown.message, thrown.retryAfterMs);
  }
  log.error('door.failed', {
    error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
  });
  return refuse('INTERNAL', 'the server failed on this request; its log has the details');
}

export function refuse(code: ErrorCode, message: string, retryAfterMs = 0): Refusal {
  return { code, message: tidyText(message), job: '', path: '', retryAfterMs };
}

/** The refusal that a job's end is; not to be called for a completed one. */
export function refusalOfAnswer(answer: Answer): Refusal {
  const { code, message, retryAfterMs } = answer.end;
  return {
    code: code ?? 'INTERNAL',
    message: tidyText(message),
    job: answer.jobId,
    path: pathText(answer.path()),
    retryAfterMs,
  };
}

/** When another try is worth it, in whole milliseconds; 0 where nothing is to be said of that. */
export function retryAfterMs({ code, retryAfterMs: given }: Refusal): number {
  if (given > 0) return Math.ceil(given);
  return errors[code].http === tooMany ? unknownRetryMs : 0;
}

const pathLengthMax = 3000;

/** The states that a job went through, small enough for a header: `queued@0ms > assigned@1.3ms(worker-1)`. */
export function pathText(steps: readonly JobStep[]): string {
  let text = '';
  for (const step of steps) {
    const at = `${step.state}@${Math.round(step.afterMs * 10) / 10}ms`;
    const said = step.why === '' ? at : `${at}(${headerSafe(step.why, 160)})`;
    if (text.length + said.length > pathLengthMax) return `${text} > ...`;
    text += text === '' ? said : ` > ${said}`;
  }
  return text;
}

/** Why a port could not be had, for the person who started the server. */
export function listenFault(fault: unknown, host: string, port: number, flag: string): Error {
  const text = fault instanceof Error ? fault.message : String(fault);
  const where = `${host}:${port}`;
  if (text.includes('EADDRINUSE')) {
    return new Error(`port ${port} on ${host} is in use by another program; choose another with ${flag}`);
  }
  if (text.includes('EACCES')) {
    return new Error(`this user may not listen on ${where}; choose a port above 1023 with ${flag}`);
  }
  if (text.includes('EADDRNOTAVAIL') || text.includes('ENOTFOUND')) {
    return new Error(`this machine has no address ${host} to listen on (for ${flag} ${port})`);
  }
  return new Error(`can't listen on ${where} (${flag}): ${text}`);
}
