// The recorded answers to golden inputs, a small file each in the cache folder of this user. One holds for one content of
// the model on one kind of device; other versions of a library differ by less than any tolerance that is of use.
import { createHash, type Hash } from 'node:crypto';
import { open, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { wallTime } from '../clock.js';
import { makeFolder } from '../folder.js';
import type { Answer, OutputAnswer } from './golden-answer.js';
import type { LoadOrder } from './order.js';
import { trim } from './trim.js';

const format = 1;
/** For all answers together: those that were used longest ago go first. */
export const goldenBytesMax = 64 << 20;
const pieceBytes = 1 << 20;

export interface GoldenRecord {
  readonly isBlank: boolean;
  readonly answer: Answer;
}

interface Written {
  readonly format: number;
  readonly isBlank: boolean;
  readonly outputs: readonly (Omit<OutputAnswer, 'values'> & { readonly values: string })[];
}

export class GoldenRecords {
  readonly #folder: string;
  readonly #note: (reason: string) => void;

  /** An empty folder keeps nothing. What is wrong with a file is said, and never in the way. */
  constructor(folder: string, note: (reason: string) => void) {
    this.#folder = folder;
    this.#note = note;
  }

  async find(order: LoadOrder): Promise<GoldenRecord | undefined> {
    const path = await this.#pathOf(order);
    if (path === undefined) return undefined;
    try {
      const written = JSON.parse(await readFile(path, 'utf8')) as Written;
      if (written.format !== format) return undefined;
      const usedAt = wallTime() / 1000;
      await utimes(path, usedAt, usedAt).catch(() => undefined);
      const answer = written.outputs.map(({ name, shape, values, hash }) => {
        return { name, shape, values: numbersOf(values), hash };
      });
      return { isBlank: written.isBlank, answer };
    } catch (fault) {
      const { code, message } = fault as NodeJS.ErrnoException;
      if (code !== 'ENOENT') this.#note(`${path} is not used, and written anew: ${message}`);
      return undefined;
    }
  }

  async keep(order: LoadOrder, { isBlank, answer }: GoldenRecord): Promise<void> {
    const path = await this.#pathOf(order);
    if (path === undefined) return;
    const draft = `${path}.${process.pid}.draft`;
    const outputs = answer.map((output) => ({ ...output, values: textOf(output.values) }));
    try {
      await makeFolder(dirname(path), 0o700);
      await writeFile(draft, JSON.stringify({ format, isBlank, outputs } satisfies Written));
      await rename(draft, path);
      await trim(dirname(path), '.json', goldenBytesMax);
    } catch (fault) {
      this.#note(`the answer to a golden input can't be kept: ${(fault as Error).message}`);
      await rm(draft, { force: true }).catch(() => undefined);
    }
  }

  async #pathOf(order: LoadOrder): Promise<string | undefined> {
    if (this.#folder === '') return undefined;
    const { backend, batches, rowSizes, inputs, outputs, device, simulated, settings } = order;
    const kind = device === 'cpu' ? (cpus()[0]?.model ?? '') : '';
    const hash = createHash('sha256');
    hash.update(
      JSON.stringify([
        device,
        kind,
        backend,
        batches,
        rowSizes[0] ?? 0,
        inputs,
        outputs,
        simulated,
        settings,
      ]),
    );
    for (const file of [order.file, order.module]) {
      if (file !== '') await hashFile(file, hash);
    }
    return join(this.#folder, 'golden', `${hash.digest('hex')}.json`);
  }
}

/** Through one buffer: a stream would leave the whole file behind in pieces, in a process that has just loaded it. */
async function hashFile(path: string, hash: Hash): Promise<void> {
  const file = await open(path);
  try {
    const piece = Buffer.allocUnsafeSlow(pieceBytes);
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, pieceBytes);
      if (bytesRead === 0) return;
      hash.update(piece.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

function textOf(values: Float64Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');
}

function numbersOf(text: string): Float64Array {
  return new Float64Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}
