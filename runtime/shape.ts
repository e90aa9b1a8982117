// Shapes of files that people write, and their mistakes as sentences. The only file that knows the schema library.
import { z } from 'zod';
import { nearest } from './nearest.js';

export { z };

export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  /** Each as a sentence that names the key, what was given and what is allowed. */
  | { readonly ok: false; readonly mistakes: readonly string[] };

export function whole(from: number, to: number): z.ZodInt {
  const error = `a whole number from ${from} to ${to}`;
  return z.int({ error }).min(from, { error }).max(to, { error });
}

export function decimal(from: number, to: number): z.ZodNumber {
  const error = `a number from ${from} to ${to}`;
  return z.number({ error }).min(from, { error }).max(to, { error });
}

export function word(lengthMax: number): z.ZodString {
  const error = `text of 1 to ${lengthMax} characters`;
  return z.string({ error }).min(1, { error }).max(lengthMax, { error });
}

export function readShape<S extends z.ZodType>(schema: S, given: unknown): Reading<z.output<S>> {
  const result = schema.safeParse(given, { error: wanted });
  if (result.success) return { ok: true, value: result.data };
  const mistakes = result.error.issues.flatMap((issue) => sentences(issue, schema, given));
  // A number may be too large in more than one way.
  return { ok: false, mistakes: [...new Set(mistakes)] };
}

function sentences(issue: z.core.$ZodIssue, schema: z.core.$ZodType, given: unknown): string[] {
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path);
    return issue.keys.map((key) => {
      const near = nearest(key, known);
      const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`;
      return `${place([...issue.path, key])} is not a known key; ${hint}`;
    });
  }
  const what = issue.path.length === 0 ? 'the content' : place(issue.path);
  return [`${what} is ${shown(valueAt(given, issue.path))}; wanted is ${issue.message}`];
}

function wanted(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_value') return `one of ${(issue.values as unknown[]).join(', ')}`;
  if (issue.code === 'too_big' && issue.origin === 'array') return `a list of at most ${issue.maximum}`;
  if (issue.code !== 'invalid_type') return undefined;
  const kinds: Record<string, string> = {
    array: 'a list',
    object: 'keys with values, as in `key: value`',
    record: 'keys with values, as in `key: value`',
    boolean: 'true or false',
    string: 'text',
    number: 'a number',
  };
  return kinds[String(issue.expected)];
}

function place(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${String(key)}`))
    .join('');
}

/** The keys that the schema knows at a place. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const bare = unwrapped(schema);
  if (bare instanceof z.ZodUnion) return bare.options.flatMap((option) => keysAt(option, path));
  if (bare instanceof z.ZodArray) return keysAt(bare.element, path.slice(1));
  if (bare instanceof z.ZodUnion) return bare.options.flatMap((option) => keysAt(option, path));
  if (!(bare instanceof z.ZodObject)) return [];
  const [key, ...rest] = path;
  const inner = key === undefined ? undefined : (bare.shape as Record<PropertyKey, z.core.$ZodType>)[key];
  if (inner !== undefined) return keysAt(inner, rest);
  return Object.keys(bare.shape);
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodDefault
    ? unwrapped(schema.unwrap())
    : schema;
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  let value = given;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined | null)?.[key];
  return value;
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'empty';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
