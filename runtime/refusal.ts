// What a command that was asked for JSON prints when it can't be done: the code of the table and the sentence, for programs.
import { type ErrorCode, SignalboxError } from '../proto/errors.js';
import { ConfigError } from './config/load.js';

export interface Refused {
  readonly text: string;
  /** The command ends with 1. */
  readonly isGood: false;
}

/** Throws again what is for people: wrong use, and everything where no JSON was asked for. */
export function refusedOf(fault: unknown, asJson: boolean): Refused {
  if (fault instanceof ConfigError || !asJson) throw fault;
  const code: ErrorCode = fault instanceof SignalboxError ? fault.code : 'INTERNAL';
  return { text: refusalText(code, (fault as Error).message), isGood: false };
}

export function refusalText(code: ErrorCode, error: string, more: object = {}): string {
  return JSON.stringify({ code, error, ...more }, null, 2);
}
