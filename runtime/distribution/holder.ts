// Which process wrote a file, in words that another one of the same machine can tell by whether it is gone.
import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';

/** Elsewhere: nobody can tell from here. */
export type Whereabouts = 'here' | 'gone' | 'elsewhere';

/** Of what the system tells behind the name of the program, which may be anything in brackets. */
const stateAt = 0;
const startedAt = 19;

/** No two say the same. */
export function holderHere(): string {
  const started = processOf(process.pid)?.started ?? '';
  return `${processesHere()}${randomUUID()} ${started} ${process.pid}\n`;
}

export function whereaboutsOf(holder: string): Whereabouts {
  const here = processesHere();
  const [, started = '', number = '0'] = / (\d*) (\d+)\n$/.exec(holder) ?? [];
  const pid = Number(number);
  if (here === '' || pid === 0 || !holder.startsWith(here)) return 'elsewhere';
  if (!isThere(pid)) return 'gone';
  const about = processOf(pid);
  // Another process may have its number by now.
  const isAnother = about !== undefined && started !== '' && about.started !== started;
  return isAnother || about?.isOver === true ? 'gone' : 'here';
}

/** Processes under the same numbers are seen by those alone who begin with the same words; none where the system does not tell. */
function processesHere(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${boot.trim()} ${readlinkSync('/proc/self/ns/pid')} `;
  } catch {
    return '';
  }
}

/** Over: it has ended, and nobody has asked how. */
function processOf(pid: number): { readonly started: string; readonly isOver: boolean } | undefined {
  try {
    const about = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const told = about.slice(about.lastIndexOf(')') + 2).split(' ');
    return { started: told[startedAt] ?? '', isOver: told[stateAt] === 'Z' || told[stateAt] === 'X' };
  } catch {
    return undefined;
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
