// One setting: its kind, its default and what it means. From this the flags, the environment, the file, `--help` and the
// README's table follow.
import { limits } from '../../proto/limits.js';

export interface Setting<T> {
  readonly meaning: string;
  readonly fallback: T;
  readonly allowed: string;
  /** The value, or nothing when it is not allowed. Flags and the environment give text, the file may give more. */
  read(given: unknown): T | undefined;
}

export type ValueOf<S> = S extends Setting<infer T> ? T : never;

export function whole(fallback: number, least: number, most: number, meaning: string): Setting<number> {
  return {
    meaning,
    fallback,
    allowed: `a whole number from ${least} to ${most}`,
    read(given) {
      const value = typeof given === 'string' && /^-?\d{1,15}$/.test(given) ? Number(given) : given;
      return Number.isInteger(value) && (value as number) >= least && (value as number) <= most
        ? (value as number)
        : undefined;
    },
  };
}

export function decimal(fallback: number, least: number, most: number, meaning: string): Setting<number> {
  return {
    meaning,
    fallback,
    allowed: `a number from ${least} to ${most}`,
    read(given) {
      const value = typeof given === 'string' && /^\d+(\.\d+)?$/.test(given) ? Number(given) : given;
      return typeof value === 'number' && value >= least && value <= most ? value : undefined;
    },
  };
}

export function text(fallback: string, pattern: RegExp, allowed: string, meaning: string): Setting<string> {
  return {
    meaning,
    fallback,
    allowed,
    read: (given) => (typeof given === 'string' && pattern.test(given) ? given : undefined),
  };
}

export function flag(fallback: boolean, meaning: string): Setting<boolean> {
  return {
    meaning,
    fallback,
    allowed: 'true or false',
    read: (given) =>
      given === true || given === 'true' || given === ''
        ? true
        : given === false || given === 'false'
          ? false
          : undefined,
  };
}

export function choice<const T extends string>(
  fallback: T,
  values: readonly T[],
  meaning: string,
): Setting<T> {
  return {
    meaning,
    fallback,
    allowed: `one of ${values.join(', ')}`,
    read: (given) => values.find((value) => value === given),
  };
}

/** Several of a list: `a,b` as text, a list in a file. */
export function several<const T extends string>(
  fallback: T,
  values: readonly T[],
  meaning: string,
): Setting<string> {
  return {
    meaning,
    fallback,
    allowed: `one or more of ${values.join(', ')}, separated by commas`,
    read(given) {
      const parts = (Array.isArray(given) ? given : String(given).split(',')).map((part) =>
        String(part).trim(),
      );
      const known = parts.every((part) => (values as readonly string[]).includes(part));
      return known && parts.length > 0 && new Set(parts).size === parts.length ? parts.join(',') : undefined;
    },
  };
}

const tag = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;

/** A list, possibly empty: `a,b` as text, a list in a file. */
export function tags(meaning: string): Setting<string> {
  return {
    meaning,
    fallback: '',
    allowed: `up to ${limits.tagsMax} tags, separated by commas, each of letters, digits, . _ : / or -`,
    read(given) {
      if (given === '') return '';
      if (!Array.isArray(given) && typeof given !== 'string') return undefined;
      const list = Array.isArray(given) ? given : given.split(',');
      const parts = list.map((part) => String(part).trim());
      const fits = parts.length <= limits.tagsMax && parts.every((part) => tag.test(part));
      return fits && new Set(parts).size === parts.length ? parts.join(',') : undefined;
    },
  };
}
