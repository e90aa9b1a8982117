// Brings the README's tables and chart, and the sample rights in NATS, up to the code: `npm run readme`.
import { readFileSync, writeFileSync } from 'node:fs';
import { withBlocks } from './blocks.js';
import { permissionsText } from './permissions.js';

writeFileSync('README.md', withBlocks(readFileSync('README.md', 'utf8')));
writeFileSync('examples/cluster/nats/permissions.conf', permissionsText());
