// Parameters of a request that steps obey, held against what they allow.
import { StepError, type StepRequest } from './step.js';

type Allowed = readonly (string | number)[] | { readonly from: number; readonly to: number };

/** As given or by default; a number may come as its digits. */
export function parameterOf<T extends string | number>(
  { parameters }: StepRequest,
  name: string,
  byDefault: T,
  allowed: Allowed,
): string | number {
  const given = parameters.get(name);
  if (given === undefined) return byDefault;
  if ('from' in allowed) {
    const { from, to } = allowed;
    const value = typeof given === 'string' && !/^\d{1,9}$/.test(given) ? Number.NaN : Number(given);
    if (typeof given !== 'boolean' && Number.isInteger(value) && value >= from && value <= to) return value;
    throw wrong(name, given, `a whole number from ${from} to ${to}`);
  }
  const found = allowed.find((value) => String(value) === String(given).toLowerCase());
  if (found !== undefined) return found;
  throw wrong(name, given, `one of ${allowed.join(', ')}`);
}

function wrong(name: string, given: boolean | number | bigint | string, wanted: string): StepError {
  const shown = typeof given === 'string' ? JSON.stringify(given.slice(0, 100)) : String(given);
  return new StepError('INPUT_INVALID', `parameter "${name}" is ${shown}, wanted is ${wanted}`);
}
