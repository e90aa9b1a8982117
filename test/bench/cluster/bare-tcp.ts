// What a link carries of the simplest there is, to hold ours against: so many questions at once over one TCP connection,
// each answered with itself after the time that a worker takes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { pause } from '../../processes/harness.js';

export interface BareLoad {
  readonly atOnce: number;
  readonly bytes: number;
  readonly workMs: number;
  readonly betweenMs: number;
  readonly lastsMs: number;
}

const answerer = fileURLToPath(new URL('../../network/answerer.js', import.meta.url));

/** Answers per second, from somebody at that address in that namespace. */
export async function askOverTcp(
  { space, address }: { readonly space: string; readonly address: string },
  { atOnce, bytes, workMs, betweenMs, lastsMs }: BareLoad,
): Promise<number> {
  const words = ['netns', 'exec', space, process.execPath, answerer, address, String(workMs)];
  const child = spawn('ip', words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [port] = await once(child, 'message');
  const socket = connect({ host: address, port, noDelay: true });
  // That it never comes about is an answer as well: none.
  socket.on('error', () => {});
  const waiting: (() => void)[] = [];
  let answers = 0;
  let arrived = 0;
  socket.on('data', ({ length }) => {
    for (arrived += length; arrived >= bytes; arrived -= bytes) {
      answers++;
      waiting.shift()?.();
    }
  });
  const ask = (): void => {
    waiting.push(() => setTimeout(ask, betweenMs));
    if (!socket.destroyed) socket.write(Buffer.alloc(bytes));
  };
  for (let n = 0; n < atOnce; n++) ask();
  await pause(lastsMs);
  socket.destroy();
  child.kill('SIGKILL');
  return (answers / lastsMs) * 1000;
}
