// `node runtime infer` as a person types it, with what it says and how it ends.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { root } from './harness.js';

export interface Told {
  readonly code: number;
  readonly said: string;
  readonly complained: string;
}

export async function infer(...args: string[]): Promise<Told> {
  const main = join(root, 'dist', 'runtime', 'main.js');
  const child = spawn(process.execPath, [main, 'infer', ...args], {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' },
  });
  let said = '';
  let complained = '';
  child.stdout.on('data', (text) => (said += text));
  child.stderr.on('data', (text) => (complained += text));
  const [code] = await once(child, 'close');
  return { code, said, complained };
}
