// How the garbage collector of our processes sees their memory. Routers and workers hold few objects and pass large buffers
// through; by its own measure the collector then marks the whole heap many times a second, which costs more than all our work.
import { setFlagsFromString } from 'node:v8';

/** Lets the heap, buffers included, grow to five times what is live before all of it is marked again. */
export function letHeapGrow(): void {
  setFlagsFromString('--heap-growing-percent=400');
  setFlagsFromString('--no-memory-reducer');
}
