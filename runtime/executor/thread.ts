// The compute thread: does one thing after the other in the order asked, at a low priority, so that the main thread
// and every router on this machine come first. It ends only when it is told to and idle.
import { constants, platform, setPriority } from 'node:os';
import { type MessagePort, parentPort } from 'node:worker_threads';
import { viewInputs } from './gather.js';
import { type FromThread, memoryOf, type RunLetter, type ToThread } from './letters.js';
import { Shelf } from './shelf.js';

// Before any library starts threads of its own, which inherit it. Elsewhere than on Linux it would lower the whole process.
if (platform() === 'linux') setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);

const port = parentPort as MessagePort;
const shelf = new Shelf();
const waiting: ToThread[] = [];
let isBusy = false;

port.on('message', (letter: ToThread) => {
  waiting.push(letter);
  if (!isBusy) void work();
});

async function work(): Promise<void> {
  isBusy = true;
  for (let letter = waiting.shift(); letter !== undefined; letter = waiting.shift()) {
    if (letter.kind === 'run') await run(letter);
    else await serve(letter);
  }
  isBusy = false;
}

async function run(letter: RunLetter): Promise<void> {
  const inputs = viewInputs(letter.headers, letter.layout, letter.memory);
  const outcome = await shelf.run(letter.key, inputs, letter.rows, letter.outputs, letter.own);
  const handed = outcome.ok ? memoryOf(outcome.outputs) : [];
  const isFree = !handed.includes(letter.memory);
  if (isFree) handed.push(letter.memory);
  post({ kind: 'ran', id: letter.id, outcome, memory: isFree ? letter.memory : undefined }, handed);
}

async function serve(letter: Exclude<ToThread, RunLetter>): Promise<void> {
  let runMs = 0;
  let reason = '';
  let partly = '';
  try {
    if (letter.kind === 'load') partly = await shelf.load(letter.order);
    else if (letter.kind === 'warmup') runMs = await shelf.warmup(letter.key, letter.rows);
    else if (letter.kind === 'measure') runMs = await shelf.measure(letter.key, letter.rows);
    else if (letter.kind === 'unload') await shelf.unload(letter.key);
    else await shelf.unloadAll();
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  post({ kind: 'done', id: letter.id, reason, runMs, partly }, []);
  if (letter.kind === 'stop') port.close();
}

function post(letter: FromThread, handed: ArrayBuffer[]): void {
  port.postMessage(letter, handed);
}
