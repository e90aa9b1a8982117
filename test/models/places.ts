// Where the files are that come with the project and that tests and benchmarks go by.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

export const samples = join(root, 'examples', 'models');
export const heldOutFile = join(root, 'examples', 'data', 'digits-test.json');
