// Loads, reloads and unloads models while the node serves: reads their folders again, tells the actors and the workers, and
// lets the catalogue decide what takes over when.
import { join } from 'node:path';
import type { ModelCondition } from '../../actors/router/coverage.js';
import { SignalboxError } from '../../proto/errors.js';
import { modelKey } from '../../proto/ids.js';
import { after } from '../clock.js';
import type { Log } from '../log.js';
import { editionOf, type ModelEntry } from '../models/entry.js';
import { configFile } from '../models/folders.js';
import type { Shelf } from '../models/shelf.js';
import { isAsRead } from '../models/stamp.js';
import { nearest } from '../nearest.js';
import { hasOwnSteps, ownStepFaults } from '../pipelines/trial.js';
import type { Catalogue } from './catalogue.js';

/** A worker that takes so much longer than another with a model is not waited for. */
const patienceMs = 5000;
const loadMostMs = 120_000;
/** Of one model. */
const waitingMax = 16;

interface Turns {
  last: Promise<unknown>;
  count: number;
}

export interface Surroundings {
  readonly shelf: Pick<Shelf, 'scan'>;
  readonly log: Log;
  /** No router here: others decide what is asked. */
  readonly atOnce: boolean;
  conditionOf(name: string, edition: string): ModelCondition;
  /** What was held against the loading of an edition is forgotten. */
  forgive?(key: string): void;
  /** Tells the actors and the workers what there is now. */
  announce(): void;
}

export class Keeper {
  private readonly catalogue: Catalogue;
  private readonly around: Surroundings;
  private readonly waiting = new Set<() => void>();
  /** Those that are loaded anew because their files have changed. */
  private readonly renewing = new Set<string>();
  /** Models that have waited long enough for the last of their workers. */
  private readonly impatient = new Set<string>();
  /** What is done with one model is done one after the other. */
  private readonly turns = new Map<string, Turns>();

  constructor(catalogue: Catalogue, around: Surroundings) {
    this.catalogue = catalogue;
    this.around = around;
  }

  /** Resolves when the model's files as they are now serve; rejects with the reason why they do not. */
  load(name: string): Promise<void> {
    return this.inTurn(name, async () => {
      const found = await this.around.shelf.scan(name);
      if (found === undefined) throw this.unknown(name);
      this.take(name, await Promise.all(found.map(withOwnSteps)));
      if (!this.catalogue.isComing(name)) this.forgive(name);
      await this.settled(name);
      const amiss = this.amissWith(name);
      if (amiss !== '') await this.giveUpLost(name);
      if (amiss !== '') throw new SignalboxError('MODEL_UNAVAILABLE', amiss);
    });
  }

  /** Looks at the steps of users' own of what serves already: a start does not wait for them. */
  async reviewSteps(): Promise<void> {
    for (const entry of this.catalogue.models) {
      const { name: model, version, state, reason } = await withOwnSteps(entry);
      if (state === entry.state || !this.catalogue.fail(entry, reason)) continue;
      this.around.log.error('model.unavailable', { model, version, reason });
      this.around.announce();
    }
  }

  /** Resolves when no new request gets to it; what was taken is still run. */
  unload(name: string): Promise<void> {
    return this.inTurn(name, async () => {
      if (this.catalogue.find(name, '') === undefined) throw this.unknown(name);
      this.catalogue.unload(name);
      this.around.log.info('model.unloaded', { model: name });
      this.around.announce();
    });
  }

  /** As its folders are now, out of the store or of its own: nobody waits until it serves. Resolves to what was found. */
  offer(name: string): Promise<readonly ModelEntry[]> {
    return this.inTurn(name, async () => {
      const found = (await this.around.shelf.scan(name)) ?? [];
      if (this.catalogue.isUnloaded(name)) return found;
      const entries = await Promise.all(found.map(withOwnSteps));
      if (entries.length > 0 || this.catalogue.find(name, '') !== undefined) this.take(name, entries);
      void this.settled(name).catch((fault: Error) => {
        this.around.log.warn('model.slow', { model: name, reason: fault.message });
      });
      return entries;
    });
  }

  announce(): void {
    this.around.announce();
  }

  /** As its folder is now, after a change that was seen there. One that was unloaded on request stays so. */
  async changed(name: string): Promise<void> {
    const isWanted = !this.catalogue.isUnloaded(name);
    const isModel = (await this.around.shelf.scan(name)) !== undefined;
    if (isModel && isWanted) await this.load(name);
    else if (!isModel) await this.removed(name);
  }

  /** A worker could not load it, for its files are others than were listed: what they are now takes over. */
  async outdated(name: string): Promise<void> {
    if (this.renewing.has(name) || this.catalogue.isUnloaded(name)) return;
    this.renewing.add(name);
    try {
      await this.load(name);
    } catch (fault) {
      const reason = (fault as Error).message;
      this.around.log.error('model.outdated', { model: name, reason });
      this.catalogue.giveUp(name, (edition) => this.around.conditionOf(name, edition).ready === 0);
      this.around.announce();
    } finally {
      this.renewing.delete(name);
    }
  }

  /** Asked for in the files that it has: a worker that starts after this tries it again. */
  private forgive(name: string): void {
    for (const entry of this.catalogue.models)
      if (entry.name === name) this.around.forgive?.(modelKey(name, editionOf(entry)));
  }

  /** What no worker has in memory can't be loaded as it was before once its files are others. */
  private async giveUpLost(name: string): Promise<void> {
    const isAway = (edition: string): boolean => this.around.conditionOf(name, edition).ready === 0;
    const lost = new Set<string>();
    for (const entry of this.catalogue.models) {
      const edition = editionOf(entry);
      if (entry.name === name && isAway(edition) && !(await isAsRead(entry))) lost.add(edition);
    }
    if (lost.size === 0) return;
    this.catalogue.giveUp(name, (edition) => lost.has(edition) && isAway(edition));
    this.around.announce();
  }

  /** Its folder is gone: nothing new gets to it, what was taken is still run. */
  removed(name: string): Promise<void> {
    return this.inTurn(name, async () => {
      if (this.catalogue.find(name, '') === undefined) return;
      this.take(name, (await this.around.shelf.scan(name)) ?? []);
      this.around.log.info('model.removed', { model: name });
    });
  }

  /** Until it is released, the edition that serves now is not taken away. */
  hold(name: string, version: string): () => void {
    const entry = this.catalogue.find(name, version);
    if (entry === undefined) return () => {};
    this.catalogue.hold(entry);
    return () => {
      if (this.catalogue.release(entry)) this.around.announce();
    };
  }

  take(name: string, found: readonly ModelEntry[]): void {
    this.catalogue.take(name, found, this.around.atOnce);
    this.around.announce();
    this.review();
  }

  /** After something was heard of who has which model ready. */
  review(): void {
    const before = this.catalogue.models;
    const changed = this.catalogue.review(
      (name, edition) => this.around.conditionOf(name, edition),
      (name) => !this.impatient.has(name),
    );
    if (changed) {
      this.note(before);
      this.around.announce();
    }
    for (const look of [...this.waiting]) look();
  }

  private note(before: readonly ModelEntry[]): void {
    for (const entry of this.catalogue.models) {
      if (before.includes(entry)) continue;
      const { name: model, version, reason } = entry;
      if (entry.state === 'available') this.around.log.info('model.tookOver', { model, version });
      else this.around.log.error('model.unavailable', { model, version, reason });
    }
  }

  private settled(name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = after(loadMostMs, () => {
        end();
        const message = `model ${name} is still being loaded after ${loadMostMs} ms; it takes over when workers have it`;
        reject(new SignalboxError('MODEL_UNAVAILABLE', message));
      });
      const look = (): void => {
        if (this.catalogue.isComing(name)) return;
        end();
        resolve();
      };
      const impatient = after(patienceMs, () => {
        this.impatient.add(name);
        this.review();
      });
      const end = (): void => {
        late.cancel();
        impatient.cancel();
        this.impatient.delete(name);
        this.waiting.delete(look);
      };
      this.waiting.add(look);
      look();
    });
  }

  /** Of what serves nothing more, or goes on serving as it was before. */
  private amissWith(name: string): string {
    const own = this.catalogue.models.filter((entry) => entry.name === name);
    const reasons = own.flatMap(({ version, state, reason }) => {
      const says = state === 'unavailable' ? reason : this.catalogue.amissWith(name, version);
      return says === '' ? [] : [`model ${name} version ${version} can't be served: ${says}`];
    });
    return reasons.join('; ');
  }

  private unknown(name: string): SignalboxError {
    const known = [...new Set(this.catalogue.models.map((entry) => entry.name))];
    const near = nearest(name, known);
    const guess = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`;
    return new SignalboxError(
      'MODEL_UNKNOWN',
      `there is no model ${JSON.stringify(name.slice(0, 128))} in the repository${guess}`,
    );
  }

  private async inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const turns = this.turns.get(name) ?? { last: Promise.resolve(), count: 0 };
    if (turns.count >= waitingMax) {
      const message = `model ${name} is being loaded, and ${waitingMax - 1} wait to load or unload it after that`;
      throw new SignalboxError('QUEUE_FULL', message);
    }
    this.turns.set(name, turns);
    turns.count++;
    const turn = turns.last.then(work, work);
    turns.last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      turns.count--;
      if (turns.count === 0) this.turns.delete(name);
    }
  }
}

/** The entry, or why it can't be served after all: its owner's steps can't be had. */
async function withOwnSteps(entry: ModelEntry): Promise<ModelEntry> {
  const { state, pipeline, config } = entry;
  if (state !== 'available' || pipeline === undefined || !hasOwnSteps(pipeline)) return entry;
  const faults = await ownStepFaults(pipeline, config.loadLongestMs);
  if (faults.length === 0) return entry;
  return {
    ...entry,
    state: 'unavailable',
    reason: `${join(pipeline.folder, configFile)}: ${faults.join('; ')}`,
  };
}
