// How the garbage collector of our processes sees their memory. Routers and workers hold few objects and pass large buffers
// through; by its own measure the collector then marks the whole heap many times a second, which costs more than all our work.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Lets the heap, buffers included, grow to five times what is live before all of it is marked again. */
export function letHeapGrow(): void {
  setFlagsFromString('--heap-growing-percent=400');
  setFlagsFromString('--no-memory-reducer');
}

type Collect = (options: { readonly type: 'minor' | 'major' }) => void;

/**
 * Takes away buffers that have gone by, when there are so many bytes of them. The collector looks at objects, of which large
 * buffers have few: it would let hundreds of megabytes pass before it looked.
 */
export class BufferSweep {
  readonly #everyBytes: number;
  readonly #kind: 'minor' | 'major';
  #passedBytes = 0;
  #collect: Collect | undefined;

  /** `minor` takes little time and only what is young; `major` all. */
  constructor(everyBytes: number, kind: 'minor' | 'major') {
    this.#everyBytes = everyBytes;
    this.#kind = kind;
  }

  passed(bytes: number): void {
    this.#passedBytes += bytes;
    if (this.#passedBytes < this.#everyBytes) return;
    this.#passedBytes = 0;
    this.#collect ??= collector();
    this.#collect({ type: this.#kind });
  }
}

function collector(): Collect {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as Collect;
}
