// Which versions of a model are served: all that lie in its folder, the highest few, or those that its owner lists.
import { z } from '../shape.js';

const error = 'all, latest: N with N from 1, or a list of numbers from 1 such as [1, 3]';
const listedMax = 1024;
const versionMost = 999_999_999_999_999;

function number(most: number): z.ZodInt {
  return z.int({ error }).min(1, { error }).max(most, { error });
}

export const versionsShape = z.union(
  [
    z.literal('all'),
    z.strictObject({ latest: number(listedMax) }, { error }),
    z.array(number(versionMost), { error }).min(1, { error }).max(listedMax, { error }),
  ],
  { error },
);

export type Versions = z.infer<typeof versionsShape>;

/** Why a version that could be served is not; undefined where it is. `serveable` are numbers as text, rising. */
export function unchosen(
  versions: Versions,
  version: string,
  serveable: readonly string[],
): string | undefined {
  if (versions === 'all') return undefined;
  if (Array.isArray(versions)) {
    if (versions.includes(Number(version))) return undefined;
    return `not served: versions in its config.yaml lists ${versions.join(', ')}`;
  }
  const higher = serveable.slice(serveable.indexOf(version) + 1);
  if (higher.length < versions.latest) return undefined;
  return `not served: versions in its config.yaml is latest: ${versions.latest}, and there is ${higher.join(', ')}`;
}

/** A sentence for each version that is listed and isn't there. */
export function missingVersions(
  versions: Versions,
  there: readonly string[],
): { readonly version: string; readonly says: string }[] {
  if (!Array.isArray(versions)) return [];
  const missing = versions.filter((version) => !there.includes(String(version)));
  const found = there.length === 0 ? 'no version' : there.join(', ');
  return missing.map((version) => ({
    version: String(version),
    says: `versions lists ${version}, which does not exist; the folder has ${found}`,
  }));
}

/** In the protocol's own fields. */
export function versionPolicy(versions: Versions): Record<string, unknown> {
  if (versions === 'all') return { all: {} };
  if (Array.isArray(versions)) return { specific: { versions } };
  return { latest: { num_versions: versions.latest } };
}
