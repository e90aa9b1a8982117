// Shapes of files that people write, and their mistakes as sentences. The only file that knows the schema library.
import { z } from 'zod';

export { z };

/** Each mistake as `key: what was given, what is wanted`. */
export function mistakes(error: z.ZodError, given: unknown): string[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => `${[...issue.path, key].join('.')} is not a key that is known here`);
    }
    const where = issue.path.join('.') || 'the file';
    return [`${where} is ${shown(valueAt(given, issue.path))}; wanted is ${wanted(issue)}`];
  });
}

function wanted(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return `one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'too_small') return `at least ${issue.minimum}`;
  if (issue.code === 'too_big') return `at most ${issue.maximum}`;
  if (issue.code === 'invalid_type') return issue.expected === 'int' ? 'a whole number' : `a value of kind ${issue.expected}`;
  return issue.message;
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  let value = given;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  return value;
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
