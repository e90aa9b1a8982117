// Of a model that the cluster shares: who could take it over from a node that goes, and why others that fit it could not.
import type { MemberId } from './ids.js';

export interface Takers {
  readonly able: readonly MemberId[];
  /** For people: the others that have the workers for it. */
  readonly unable: readonly string[];
}
