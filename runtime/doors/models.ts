// Finds the model that a request names and keeps its signature at hand.
import { SignalboxError } from '../../proto/errors.js';
import { bucketsOf } from '../models/batching.js';
import { editionOf, type ModelEntry } from '../models/entry.js';
import { Padding } from '../models/padding.js';
import { pick } from '../models/picked.js';
import { variantEverywhere, variantsBeside } from '../models/variants.js';
import { nearest } from '../nearest.js';
import { type Pipeline, runsFor } from '../pipelines/declaration.js';
import type { Engine, ModelStatus } from './engine.js';
import { outerSignature, portOf, portsOf, statusBehind, tensorModelOf } from './outer.js';
import { invalidInput, type Parameters, type ParameterValue } from './request.js';
import { list, quote } from './sentence.js';
import { makeSignature, type Signature } from './signature.js';

/** With it a request chooses the precision of a model. */
const variantParameter = 'variant';
const noParameters: Parameters = new Map();

/** Loading takes its time: who asks at once again asks in vain. */
const comingRetryMs = 1000;

export class Models {
  readonly #engine: Engine;
  readonly #signatures = new WeakMap<ModelEntry, Signature>();
  readonly #behind = new WeakMap<ModelEntry, Signature>();
  readonly #picked = new WeakMap<ModelEntry, Map<string, Signature>>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** For an inference: throws when the model is unknown or broken. Empty version: the newest. */
  find(name: string, version: string): Signature {
    const entry = this.known(name, version);
    const kept = this.#signatures.get(entry);
    if (kept !== undefined) return kept;
    if (this.#engine.isComing(name, entry.version)) throw this.#notYet(name, entry.version);
    if (entry.state === 'unloaded' || entry.state === 'unchosen') {
      throw new SignalboxError(
        'MODEL_UNKNOWN',
        `model ${quote(name)} version ${entry.version} is not available: ${entry.reason}`,
      );
    }
    if (entry.state !== 'available') {
      throw new SignalboxError(
        'MODEL_UNAVAILABLE',
        `model ${quote(name)} version ${entry.version} can't be served: ${entry.reason}`,
      );
    }
    const { pipeline } = entry;
    const signature =
      pipeline === undefined ? signatureOf(entry) : outerSignature(entry, portsOf(this.#engine, entry));
    // What another model decides may change with that.
    if (pipeline === undefined || (pipeline.takes && pipeline.gives)) this.#signatures.set(entry, signature);
    return signature;
  }

  /** The same for a request that may name a variant: throws when the model does not have it for requests. */
  chosen(signature: Signature, parameters: Parameters | undefined): Signature {
    const variant = parameters?.get(variantParameter);
    if (variant === undefined) return signature;
    const { pipeline } = signature;
    if (pipeline === undefined)
      return this.#variant(this.known(signature.model, signature.version), signature, variant);
    // Asked of the model behind once the steps have come to it: here it is only looked at.
    this.behind(pipeline, parameters);
    return signature;
  }

  /** Of the tensor model behind a pipeline: throws when it can't be asked. */
  behind(pipeline: Pipeline, parameters: Parameters = noParameters): Signature {
    const runs = runsFor(pipeline, parameters);
    const entry = tensorModelOf(this.#engine, pipeline, runs);
    if (typeof entry === 'string')
      throw this.#notYetBehind(runs) ?? new SignalboxError('MODEL_UNAVAILABLE', entry);
    const variant = parameters.get(variantParameter);
    const usual = this.#usualBehind(entry);
    if (variant === undefined || pipeline.runsWhen[variantParameter] !== undefined) return usual;
    return this.#variant(entry, usual, variant);
  }

  #usualBehind(entry: ModelEntry): Signature {
    const kept = this.#behind.get(entry);
    if (kept !== undefined) return kept;
    const { name, version } = entry;
    if (this.#engine.isComing(name, version)) throw this.#notYet(name, version);
    const signature = signatureOf(entry);
    this.#behind.set(entry, signature);
    return signature;
  }

  #variant(entry: ModelEntry, usual: Signature, wanted: ParameterValue): Signature {
    const kept = this.#picked.get(entry) ?? new Map<string, Signature>();
    this.#picked.set(entry, kept);
    const variant = String(wanted);
    let signature = kept.get(variant);
    if (signature === undefined) {
      signature = variantEverywhere(entry.config) === variant ? usual : signatureOf(pickedFor(entry, wanted));
      kept.set(variant, signature);
    }
    return signature;
  }

  #notYet(name: string, version: string): SignalboxError {
    const { state, reason } = this.#engine.status(name, version);
    const message = `model ${quote(name)} version ${version} is ${state}: ${reason}`;
    return new SignalboxError('MODEL_UNAVAILABLE', message, comingRetryMs);
  }

  /** Where no version is named, and none has served yet. */
  #notYetBehind(runs: string): SignalboxError | undefined {
    if (this.#engine.model(runs, '') !== undefined) return undefined;
    const newest = this.#engine.models().findLast(({ name }) => name === runs);
    return newest && this.#notYet(newest.name, newest.version);
  }

  /** For a question about a model: throws when it is unknown. */
  known(name: string, version: string): ModelEntry {
    const entry = this.#engine.model(name, version);
    if (entry !== undefined) return entry;
    const models = this.#engine.models();
    const versions = models.filter((other) => other.name === name).map((other) => other.version);
    const newest = versions.at(-1);
    // None has served yet: the newest would answer otherwise.
    if (newest !== undefined && version === '') throw this.#notYet(name, newest);
    if (newest !== undefined) {
      throw new SignalboxError(
        'MODEL_UNKNOWN',
        `model ${quote(name)} has no version ${quote(version)} available; its versions are ${list(versions)}`,
      );
    }
    const names = [...new Set(models.map((other) => other.name))];
    const near = nearest(name, names);
    const guess = near === undefined ? '' : `did you mean ${quote(near)}? `;
    const asked = version === '' ? '' : ` version ${quote(version)}`;
    throw new SignalboxError(
      'MODEL_UNKNOWN',
      `there is no model ${quote(name)}${asked} available; ${guess}the models are ${list(names)}`,
    );
  }

  ready(name: string, version: string): boolean {
    const entry = this.#engine.model(name, version);
    return entry !== undefined && statusOf(this.#engine, entry).state === 'READY';
  }

  /** The entries that a question is about: of one model, of one version, or (empty name) all. */
  several(name: string, version: string): readonly ModelEntry[] {
    if (name === '') return this.#engine.models();
    if (version !== '') return [this.known(name, version)];
    this.known(name, '');
    return this.#engine.models().filter((entry) => entry.name === name);
  }
}

/** Throws where requests can't choose it. */
function pickedFor(entry: ModelEntry, wanted: ParameterValue): ModelEntry {
  const { name, version, config } = entry;
  const { variants = {} } = config;
  const subject = `model ${quote(name)} version ${version}`;
  const known = Object.keys(variants);
  const open = [variantEverywhere(config), ...variantsBeside(config)].filter((own) => own !== undefined);
  const may = `requests may choose ${open.length === 0 ? 'none' : list(open)}`;
  const given = `parameter ${quote(variantParameter)} is ${quote(String(wanted))}`;
  if (known.length === 0) throw invalidInput(`${given}, but ${subject} has no variants`);
  if (!known.includes(String(wanted))) throw invalidInput(`${given}, which ${subject} does not have: ${may}`);
  const picked = variantsBeside(config).includes(String(wanted)) ? pick(entry, String(wanted)) : undefined;
  if (picked !== undefined) return picked;
  throw invalidInput(
    `${given}, which ${subject} has and loads for no request: ${may}; ` +
      'variantsByRequest in its config.yaml names those that are loaded',
  );
}

/** What the engine says of a model, unless the repository has already said that it can't be served. */
export function statusOf(engine: Engine, entry: ModelEntry): ModelStatus {
  const { name, version, state, reason, pipeline } = entry;
  if (state !== 'available') {
    const status = engine.status(name, version);
    return status.state === 'UNLOADING' ? status : { name, version, state: 'UNAVAILABLE', reason };
  }
  return pipeline === undefined || pipeline.runs === ''
    ? engine.status(name, version)
    : statusBehind(engine, pipeline);
}

function signatureOf(entry: ModelEntry): Signature {
  const { name, version, maxBatch, inputs, outputs, config } = entry;
  const buckets = bucketsOf(config.batching);
  const padding = buckets && new Padding(buckets, inputs, outputs);
  const wishes = { ...config, padding, edition: editionOf(entry) };
  return makeSignature(name, version, maxBatch, inputs.map(portOf), outputs.map(portOf), wishes);
}
