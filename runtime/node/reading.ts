// What a node finds in its own model repository at its start, and what it says of that.
import { ownCacheFolder } from '../config/places.js';
import { type Config, settings } from '../config/schema.js';
import type { Log } from '../log.js';
import { Contents } from '../models/contents.js';
import { scanRepository } from '../models/repository.js';
import { Shelf } from '../models/shelf.js';
import { Catalogue } from './catalogue.js';

/** Rejects with a sentence where a start must not go on. */
export async function readCatalogue(
  { models: folder, defaultModel }: Config,
  shelf: Shelf,
  log: Log,
): Promise<Catalogue> {
  const repository = await scanRepository(folder);
  if (defaultModel !== settings.defaultModel.fallback && repository.find(defaultModel, '') === undefined) {
    const known = repository.models.map((model) => model.name).join(', ');
    throw new Error(`--default-model is ${defaultModel}; the repository has ${known || 'no models'}`);
  }
  for (const note of repository.notes) log.warn('repository.passedOver', { note });
  for (const { name: model, version, state, reason } of repository.models)
    if (state === 'unavailable') log.error('model.unavailable', { model, version, reason });
  return new Catalogue(await shelf.named(repository.models));
}

/** Where other machines have the same models, all are to call them the same: reading them whole takes its time at the first start. */
export function shelfOf({ models, nats, cacheFolder }: Config, log: Log): Shelf {
  const contents = nats === '' ? undefined : new Contents(cacheFolder || ownCacheFolder());
  return new Shelf(models, log, contents);
}
