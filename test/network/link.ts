// A link with faults: a cable from a bridge to a network namespace that loses packets, or is slow, in one direction or both.
// There are two ways to have one, the kernel's own and one of ours; a probe says which, or why there is none.
import type { Faults } from './faults.js';
import { skip as noNamespaces } from './ip.js';
import { netem, whyNoNetem } from './netem.js';
import { tap, whyNoTap } from './tap.js';

export interface Link {
  /** From now on, in place of what was; resolves once it is so. */
  set(faults: Faults): Promise<void>;
  remove(): void;
}

export interface Ends {
  /** The end that goes into the bridge: the name that it gets. */
  readonly near: string;
  /** The namespace that gets the other end, as `eth0`. */
  readonly space: string;
}

export type LayLink = (ends: Ends) => Promise<Link>;

const noNetem = noNamespaces || whyNoNetem();
const noTap = noNamespaces || whyNoTap();

export const way = noNetem === false ? 'netem' : 'tap';
export const lay: LayLink = noNetem === false ? netem : tap;
export const skip: string | false =
  noNamespaces ||
  (noNetem !== false && noTap !== false && `no link can have faults here: ${noNetem}, and ${noTap}`);
