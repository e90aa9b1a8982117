// What lies in the folders of a model repository: which of it is a folder, what only looks like a model, and the words for
// what can't be opened.
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export const configFile = 'config.yaml';
export const modelFile = 'model.onnx';
export const missing = 'it does not exist';
export const versionPattern = /^[1-9]\d{0,14}$/;
const garbled = 'its name is not UTF-8';

/** A link to a folder counts as the folder; what begins with a dot is nobody's model. */
export async function foldersIn(
  parent: string,
  found: readonly Dirent[],
  notes: string[],
): Promise<string[]> {
  const folders: string[] = [];
  for (const { name } of found) {
    if (name.startsWith('.')) continue;
    const path = join(parent, name);
    const what = await stat(path).catch((fault: NodeJS.ErrnoException) => fault);
    if (what instanceof Error)
      notes.push(`${path} is passed over: ${isGarbled(name, what) ? garbled : whyNot(what)}`);
    else if (what.isDirectory()) folders.push(name);
  }
  return folders.sort();
}

/** Bytes that are no text come as signs that are not those of the name. */
function isGarbled(name: string, fault: NodeJS.ErrnoException): boolean {
  return fault.code === 'ENOENT' && name.includes('\ufffd');
}

/** A note for each folder that would be a model if its name did not begin with a dot. */
export async function hiddenModels(parent: string, found: readonly Dirent[]): Promise<string[]> {
  const notes: string[] = [];
  for (const { name } of found) {
    if (!name.startsWith('.')) continue;
    const path = join(parent, name);
    const inside = await readdir(path).catch(() => []);
    if (inside.some((own) => own === configFile || versionPattern.test(own)))
      notes.push(`${path} is passed over: what begins with a dot is nobody's model`);
  }
  return notes;
}

export function whyNot(fault: NodeJS.ErrnoException): string {
  if (fault.code === 'ENOENT') return missing;
  if (fault.code === 'ENOTDIR') return 'it is not a folder';
  if (fault.code === 'EISDIR') return 'it is a folder, wanted is a file';
  if (fault.code === 'EACCES') return 'this user may not read it';
  if (fault.code === 'ENXIO') return 'it is not a file';
  if (fault.code === 'ELOOP') return 'it is a link that leads to itself';
  return fault.message;
}
