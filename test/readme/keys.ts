// The keys of a model's config.yaml as the code knows them, for the README's table.
import { modelShape } from '../../runtime/models/config.js';
import { stepKinds } from '../../runtime/pipelines/kinds.js';
import { z } from '../../runtime/shape.js';

interface Shown {
  /** What is allowed, where no rule below tells it. */
  readonly title?: string;
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly items?: Shown;
  readonly anyOf?: readonly Shown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Shown>>;
}

/** Key, default, what is allowed and what it means; keys below a key have its name before theirs. */
export function modelKeys(): string[][] {
  return keysOf(z.toJSONSchema(modelShape, { io: 'input' }) as Shown, '');
}

/** The same for the options of the steps that come with Signalbox. */
export function stepKeys(): string[][] {
  return Object.entries(stepKinds).flatMap(([name, { side, meaning, options }]) => [
    [`\`${name}\``, '', '', `(${side}) ${meaning}`],
    ...keysOf(z.toJSONSchema(options, { io: 'input' }) as Shown, `${name}.`),
  ]);
}

function keysOf(shown: Shown, before: string): string[][] {
  return Object.entries(shown.properties ?? {}).flatMap(([key, value]) => {
    const name = before + key;
    const fallback =
      value.default === undefined ? '' : `\`${JSON.stringify(value.default).replaceAll('"', '')}\``;
    const own =
      value.description === undefined ? [] : [[`\`${name}\``, fallback, allowed(value), value.description]];
    return [...own, ...keysOf(value, `${name}.`), ...keysOf(value.items ?? {}, `${name}[].`)];
  });
}

function allowed(shown: Shown): string {
  if (shown.title !== undefined) return shown.title;
  if (shown.anyOf !== undefined) return shown.anyOf.map(allowed).join('; ');
  if (shown.const !== undefined) return String(shown.const);
  if (shown.enum !== undefined) return shown.enum.join(', ');
  switch (shown.type) {
    case 'integer':
      return `a whole number${range(shown)}`;
    case 'number':
      return `a number${range(shown)}`;
    case 'boolean':
      return 'true, false';
    case 'array':
      return `a list of ${shown.minItems ?? 0} to ${shown.maxItems}: ${allowed(shown.items ?? {})}`;
    case 'object':
      return shown.properties?.['latest'] === undefined
        ? 'keys with values'
        : `latest: ${allowed(shown.properties['latest'])}`;
    default:
      return shown.pattern === undefined ? 'text' : 'letters, digits, . _ : / -';
  }
}

function range({ minimum, exclusiveMinimum, maximum }: Shown): string {
  const from = minimum === undefined ? ` above ${exclusiveMinimum}, ` : ` from ${minimum} `;
  return maximum === Number.MAX_SAFE_INTEGER ? from.trimEnd() : `${from}to ${maximum}`;
}
