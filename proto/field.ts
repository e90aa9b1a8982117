// The kinds of fields that a message can have. Each knows what it wants, so that an invalid message is refused with a
// sentence, and carries its TypeScript type, so that a message is written down once.
import { limits } from './limits.js';

export interface Field<T> {
  readonly wants: string;
  check(value: unknown): value is T;
}

export type ValueOf<F> = F extends Field<infer T> ? T : never;

function field<T>(wants: string, check: (value: unknown) => boolean): Field<T> {
  return { wants, check: check as (value: unknown) => value is T };
}

/** A whole number from 0. */
export const count = field<number>('a whole number from 0', isCount);

export function countBelow(bound: number): Field<number> {
  return field<number>(
    `a whole number from 0 and below ${bound}`,
    (value) => isCount(value) && (value as number) < bound,
  );
}

/** Milliseconds, with fractions, never negative. */
export const duration = field<number>(
  'milliseconds from 0',
  (value) => typeof value === 'number' && value >= 0 && value < Number.MAX_SAFE_INTEGER,
);

export const flag = field<boolean>('true or false', (value) => typeof value === 'boolean');

/** An id or a name: never empty. */
export const name = field<string>(
  `a name of 1 to ${limits.nameLengthMax} characters`,
  (value) => typeof value === 'string' && value.length > 0 && value.length <= limits.nameLengthMax,
);

/** Free text for people, may be empty. */
export const text = field<string>(
  `text of at most ${limits.textLengthMax} characters`,
  (value) => typeof value === 'string' && value.length <= limits.textLengthMax,
);

export function oneOf<const T extends string>(...values: readonly T[]): Field<T> {
  return field<T>(`one of ${values.join(', ')}`, (value) => values.includes(value as T));
}

export function listOf<T>(item: Field<T>, lengthMax: number): Field<readonly T[]> {
  return field<readonly T[]>(`a list of at most ${lengthMax}, each ${item.wants}`, (value) => {
    if (!Array.isArray(value) || value.length > lengthMax) return false;
    for (let index = 0; index < value.length; index++) if (!item.check(value[index])) return false;
    return true;
  });
}

/** A record on the wire is again an array by position. */
export function tuple<const T extends readonly Field<unknown>[]>(
  ...items: T
): Field<{ readonly [K in keyof T]: ValueOf<T[K]> }> {
  return field(`[${items.map((item) => item.wants).join(', ')}]`, (value) => {
    if (!Array.isArray(value) || value.length !== items.length) return false;
    for (let index = 0; index < items.length; index++) if (!items[index]?.check(value[index])) return false;
    return true;
  });
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
