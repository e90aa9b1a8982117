// All planted bugs, by name.
import type { Bug } from './bug.js';
import { carrying } from './carrying.js';
import { clustering } from './clustering.js';
import { promising } from './promising.js';

export const bugs: Readonly<Record<string, Bug>> = { ...carrying, ...promising, ...clustering };
