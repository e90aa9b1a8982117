// The system's own words for networks: what `ip` and `tc` of iproute2 do, or the first line of why not.
import { execFileSync } from 'node:child_process';

/** Of this process's own, for whatever it makes. */
export const prefix = `sb${process.pid % 100_000}`;

/** Why there are no network namespaces. */
export const skip: string | false = whyNoNamespaces();

function whyNoNamespaces(): string | false {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  if (process.getuid?.() !== 0) return 'only root may make network namespaces';
  const probe = `${prefix}probe`;
  const why = whyNot(() => {
    ip('netns', 'add', probe);
    ip('netns', 'del', probe);
  });
  return why !== false && `network namespaces can't be made here: ${why}`;
}

export function ip(...words: readonly string[]): void {
  run('ip', words);
}

export function tc(...words: readonly string[]): void {
  run('tc', words);
}

/** It may be gone already. */
export function quietly(command: typeof ip, ...words: readonly string[]): void {
  whyNot(() => command(...words));
}

/** False when it can be done. */
export function whyNot(act: () => void): string | false {
  try {
    act();
    return false;
  } catch (fault) {
    return (fault as Error).message;
  }
}

function run(command: string, words: readonly string[]): void {
  try {
    execFileSync(command, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (fault) {
    const { stderr, message } = fault as Error & { stderr?: Buffer };
    throw new Error(String(stderr ?? '').split('\n')[0] || message);
  }
}
