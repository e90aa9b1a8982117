// The parts of the README that the code says better than a person: tables of errors, settings, model keys and limits, and the job's
// chart. Written by `npm run readme`, and compared by a test.
import { jobTable } from '../../actors/job/job.table.js';
import { batchPolicyMeanings, workerChoiceMeanings } from '../../proto/batching.js';
import { errorCodes, errors, grpcStatus } from '../../proto/errors.js';
import { limitMeanings, limits } from '../../proto/limits.js';
import { environmentOf, flagOf, settingNames, settings } from '../../runtime/config/schema.js';
import type { Setting } from '../../runtime/config/setting.js';
import {
  simulatedDefaults,
  simulatedFaultMeanings,
  simulatedMeanings,
} from '../../runtime/executor/simulated.js';
import { modelKeys, stepKeys } from './keys.js';

export const blocks: Readonly<Record<string, () => string>> = {
  errors: errorTable,
  'model-keys': modelKeyTable,
  'pipeline-steps': () => table(['Step or option', 'Default', 'Allowed', 'Meaning'], stepKeys()),
  'batch-policies': () => meaningTable('Policy', batchPolicyMeanings),
  'worker-choices': () => meaningTable('Choice', workerChoiceMeanings),
  'simulated-keys': simulatedTable,
  settings: settingTable,
  limits: limitTable,
  'job-chart': jobChart,
};

/** The README with every marked block as the code has it now. */
export function withBlocks(readme: string): string {
  let written = readme;
  for (const [name, make] of Object.entries(blocks)) {
    const from = `<!-- ${name}: written by npm run readme -->`;
    const to = `<!-- end of ${name} -->`;
    const start = written.indexOf(from);
    const end = written.indexOf(to);
    if (start < 0 || end < start)
      throw new Error(`the README has no block "${name}" between ${from} and ${to}`);
    written = `${written.slice(0, start + from.length)}\n\n${make()}\n\n${written.slice(end)}`;
  }
  return written;
}

function errorTable(): string {
  const rows = errorCodes.map((code) => {
    const { grpc, http, retryable, meaning } = errors[code];
    return [`\`${code}\``, `${grpc} (${grpcStatus[grpc]})`, String(http), retryable ? 'yes' : 'no', meaning];
  });
  return table(['Code', 'gRPC', 'HTTP', 'Try again?', 'Meaning'], rows);
}

function settingTable(): string {
  const rows = settingNames.map((name) => {
    const { meaning, fallback, allowed }: Setting<unknown> = settings[name];
    const shown = fallback === '' ? '' : `\`${String(fallback)}\``;
    return [`\`${name}\``, `\`${flagOf(name)}\``, `\`${environmentOf(name)}\``, shown, allowed, meaning];
  });
  return table(['In a file', 'Flag', 'Environment', 'Default', 'Allowed', 'Meaning'], rows);
}

function modelKeyTable(): string {
  return table(['Key', 'Default', 'Allowed', 'Meaning'], modelKeys());
}

function meaningTable(head: string, meanings: Readonly<Record<string, string>>): string {
  return table(
    [head, 'Meaning'],
    Object.entries(meanings).map(([word, meaning]) => [`\`${word}\``, meaning]),
  );
}

function simulatedTable(): string {
  const names = Object.keys(simulatedMeanings) as (keyof typeof simulatedMeanings)[];
  const rows = names.map((name) => [
    `\`${name}\``,
    `\`${JSON.stringify(simulatedDefaults[name])}\``,
    simulatedMeanings[name],
  ]);
  const faults = Object.entries(simulatedFaultMeanings).map(([fault, meaning]) => `\`${fault}\`: ${meaning}`);
  return `${table(['Key', 'Default', 'Meaning'], rows)}\n\nFaults: ${faults.join('; ')}.`;
}

function limitTable(): string {
  const names = Object.keys(limits) as (keyof typeof limits)[];
  return table(
    ['Limit', 'Value', 'Of'],
    names.map((name) => [`\`${name}\``, limits[name].toLocaleString('en-US'), limitMeanings[name]]),
  );
}

function jobChart(): string {
  const { states, events, next, initial, final } = jobTable;
  const lines = [`  [*] --> ${states[initial]}`];
  states.forEach((state, row) => {
    events.forEach((event, column) => {
      const target = next[row * events.length + column] as number;
      if (target >= 0) lines.push(`  ${state} --> ${states[target]}: ${event}`);
    });
    if (final[row]) lines.push(`  ${state} --> [*]`);
  });
  return ['```mermaid', 'stateDiagram-v2', ...lines, '```'].join('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
