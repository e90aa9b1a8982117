// Loading and unloading as both doors have it: which model is meant, and what of a request there is here.
import { SignalboxError } from '../../proto/errors.js';
import type { Engine } from './engine.js';
import { invalidInput } from './request.js';
import { quote } from './sentence.js';

export type RepositoryAction = 'load' | 'unload';

const known: Readonly<Record<RepositoryAction, readonly string[]>> = {
  load: [],
  unload: ['unload_dependents'],
};

/** Resolves when it is done; `parameters` are the names of what the request brings along. */
export async function actOn(
  engine: Engine,
  action: RepositoryAction,
  model: string,
  parameters: readonly string[],
): Promise<void> {
  if (model === '') throw invalidInput(`which model is to be ${action}ed is missing: its name`);
  const stranger = parameters.find((name) => !known[action].includes(name));
  if (stranger !== undefined) {
    const message = `this server does not have the parameter ${quote(stranger)}: a model is ${action}ed as it lies in the repository`;
    throw new SignalboxError('UNSUPPORTED', message);
  }
  if (action === 'load') await engine.loadModel(model);
  else await engine.unloadModel(model);
}
