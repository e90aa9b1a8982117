// Jobs in words: a line for each in a list, and the whole story of one.
import type { JobStep } from '../../proto/job.js';
import type { JobList, JobView } from '../doors/jobs.js';

const head = ['JOB', 'MODEL', 'ENDED', 'AFTER', 'AT'];

/** A line for each job; below those that did not end well the sentence and the path. */
export function listText({ router, ended, live }: JobList): string {
  const jobs = [...ended, ...live];
  if (jobs.length === 0) return `${router} remembers no such job.`;
  const rows = jobs.map((job) => [job.id, modelOf(job), outcomeOf(job), ms(tookMs(job)), job.endedAt ?? '']);
  const widths = head.map((word, column) =>
    Math.max(word.length, ...rows.map((row) => (row[column] as string).length)),
  );
  const lines = [line(head, widths)];
  jobs.forEach((job, at) => {
    lines.push(line(rows[at] as string[], widths));
    if (job.ending === 'completed') return;
    // The last step of a refusal has the same words.
    if (job.message !== '' && job.path.at(-1)?.why.includes(job.message) !== true)
      lines.push(`    ${job.message}`);
    lines.push(`    ${job.path.map(stepText).join(' > ')}`);
  });
  const alive = live.length === 0 ? '' : `, ${live.length} that live`;
  lines.push('', `${ended.length} that ended${alive}. \`node runtime jobs show ID\` tells the story of one.`);
  return lines.join('\n');
}

export function storyText(job: JobView): string {
  const rows = `${job.rows} row${job.rows === 1 ? '' : 's'}, ${job.bytes} bytes`;
  const lines = [
    `${job.id}  ${outcomeOf(job)} after ${ms(tookMs(job))}`,
    '',
    `  model     ${modelOf(job)} (${rows})`,
    `  asked     an answer within ${ms(job.budgetMs)}, priority ${job.priority}`,
  ];
  if (job.endedAt !== null) lines.push(`  ended     ${job.endedAt}`);
  if (job.message !== '') lines.push(`  because   ${job.message}`);
  if (job.retryAfterMs > 0) lines.push(`  try again after ${ms(job.retryAfterMs)}`);
  if (job.times !== null) {
    const { queueMs, computeInputMs, computeMs, computeOutputMs, batchRows } = job.times;
    const parts = `${ms(computeInputMs)} input, ${ms(computeMs)} compute, ${ms(computeOutputMs)} output`;
    lines.push(`  time      ${ms(queueMs)} until a worker had it, then ${parts}; in a batch of ${batchRows}`);
  }
  lines.push('', ...pathLines(job.path));
  return lines.join('\n');
}

function pathLines(path: readonly JobStep[]): string[] {
  const times = path.map((step) => ms(step.afterMs));
  const width = Math.max(0, ...times.map((time) => time.length));
  const states = Math.max(0, ...path.map((step) => step.state.length));
  return path.map((step, at) =>
    `  ${(times[at] as string).padStart(width)}  ${step.state.padEnd(states)}  ${step.why}`.trimEnd(),
  );
}

function stepText({ state, afterMs, why }: JobStep): string {
  return `${state} ${ms(afterMs)}${why === '' ? '' : ` (${why})`}`;
}

function outcomeOf({ ending, code, path }: JobView): string {
  if (ending === null) return `lives: ${path.at(-1)?.state ?? 'arriving'}`;
  return code === null ? ending : `${ending} ${code}`;
}

function modelOf({ model, version }: JobView): string {
  return `${model}:${version}`;
}

/** Until its last step; of one that lives, so far as it has come. */
function tookMs({ path }: JobView): number {
  return path.at(-1)?.afterMs ?? 0;
}

function ms(value: number): string {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${Number(value.toFixed(digits))} ms`;
}

function line(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, column) => cell.padEnd(widths[column] as number))
    .join('  ')
    .trimEnd();
}
