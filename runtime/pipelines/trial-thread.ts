// Imports one module of a user's own steps and says what it exports, in a thread that ends right after: what the module does
// when it is imported, and whether that ever ends, is its owner's.
import { constants, platform, setPriority } from 'node:os';
import { pathToFileURL } from 'node:url';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Exported } from './trial.js';

// Elsewhere than on Linux it would lower the whole process.
if (platform() === 'linux') setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);

const port = parentPort as MessagePort;

try {
  const exported = (await import(pathToFileURL(workerData as string).href)) as Record<string, unknown>;
  say({ kinds: Object.entries(exported).map(([name, value]) => [name, kindOf(value)]) });
} catch (fault) {
  say({ why: fault instanceof Error ? `${fault.name}: ${fault.message}` : String(fault) });
}

function say(exported: Exported): void {
  port.postMessage(exported);
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : typeof value;
}
