// Brings the README's tables and chart up to the code: `npm run readme`.
import { readFileSync, writeFileSync } from 'node:fs';
import { withBlocks } from './blocks.js';

writeFileSync('README.md', withBlocks(readFileSync('README.md', 'utf8')));
