// What a model's config may say under `backend`: one that is built in, or the path of a module of its owner's.
import { statSync } from 'node:fs';
import { isAbsolute, normalize, resolve } from 'node:path';

export const builtInBackends = ['onnxruntime', 'echo', 'simulated'] as const;

export type BuiltInBackend = (typeof builtInBackends)[number];

const modulePath = String.raw`\.{0,2}[/\\].*[^/\\]\.(?:js|mjs|cjs)`;

export const backendPattern = new RegExp(`^(?:${builtInBackends.join('|')}|${modulePath})$`, 's');
export const backendWanted = `one of ${builtInBackends.join(', ')}, or the path of a module such as ./my-backend.js`;

export function isBuiltIn(backend: string): backend is BuiltInBackend {
  return (builtInBackends as readonly string[]).includes(backend);
}

/** Why a module can't be where the config says, as far as its path tells; nothing when it can. */
export function strayed(backend: string): string | undefined {
  if (isBuiltIn(backend) || isAbsolute(backend)) return undefined;
  if (!leadsOut(backend)) return undefined;
  return `backend is ${backend}, which leads out of the model's folder; wanted is a path within it, or a full path`;
}

/** Of a relative path. */
export function leadsOut(path: string): boolean {
  return /^\.\.([/\\]|$)/.test(normalize(path));
}

/** The module's full path; empty for what is built in; or the system's word for why it is not there. */
export function findModule(folder: string, backend: string): string | NodeJS.ErrnoException {
  if (isBuiltIn(backend)) return '';
  const path = resolve(folder, backend);
  try {
    if (statSync(path).isFile()) return path;
    return Object.assign(new Error('it is not a file'), { path });
  } catch (fault) {
    return fault as NodeJS.ErrnoException;
  }
}
