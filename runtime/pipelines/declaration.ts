// A model's pipeline as its config.yaml declares it, checked as far as that goes without loading a step: names, options,
// files, and what clients see of it.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { TensorHeader } from '../../proto/tensor.js';
import { leadsOut } from '../models/backend.js';
import { nearest } from '../nearest.js';
import { readShape } from '../shape.js';
import { stepKinds } from './kinds.js';
import type { StepKind, StepPlace } from './step.js';

/** As plain data, for it crosses to the threads. */
export interface StepDeclaration {
  /** As the config has it. */
  readonly name: string;
  /** Of a user's own step: its module and what that exports; both empty for a step of ours. */
  readonly module: string;
  readonly member: string;
  readonly options: unknown;
}

export interface Pipeline extends StepPlace {
  /** Of the files that the steps may read: with another the steps are opened anew. */
  readonly stamp: string;
  /** The tensor model that does the work, as `name` or `name:version`; empty: this one itself. */
  readonly runs: string;
  /** Other models than that, by a parameter and its value. */
  readonly runsWhen: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly before: readonly StepDeclaration[];
  readonly after: readonly StepDeclaration[];
  /** What clients see; undefined: the tensor model's own. */
  readonly takes: readonly TensorHeader[] | undefined;
  readonly gives: readonly TensorHeader[] | undefined;
  readonly requestsInFlightMax: number;
  readonly jobsInFlightMax: number;
}

/** As much of a model's configuration as is said of its pipeline. */
export interface PipelineConfig {
  readonly runs?: string | undefined;
  readonly runsWhen?: Pipeline['runsWhen'] | undefined;
  readonly before?: readonly unknown[] | undefined;
  readonly after?: readonly unknown[] | undefined;
  readonly takes?: readonly TensorHeader[] | undefined;
  readonly gives?: readonly TensorHeader[] | undefined;
  readonly requestsInFlightMax?: number | undefined;
  readonly jobsInFlightMax?: number | undefined;
}

const requestsInFlightMost = 64;
const jobsInFlightMost = 8;

type Side = StepKind['side'];

/** What is known of a step: itself, and the ports that it has to say of. */
interface Known {
  readonly step: StepDeclaration;
  readonly takes: readonly TensorHeader[] | undefined;
  readonly gives: readonly TensorHeader[] | undefined;
}

const ownModule = /^(\.\.?\/.+\.m?js)(?:#([A-Za-z_$][\w$]*))?$/;

function hasPipeline({ runs, before = [], after = [] }: PipelineConfig): boolean {
  return runs !== undefined || before.length > 0 || after.length > 0;
}

/** Undefined where the model has none; the sentences that say which keys are wrong. */
export function readPipeline(config: PipelineConfig, place: StepPlace): Pipeline | string | undefined {
  const read = studyPipeline(config, place);
  return isSentences(read) ? read.join('; ') : read;
}

/** The same with a sentence for each mistake, which begins with its key. */
export function studyPipeline(
  config: PipelineConfig,
  place: StepPlace,
): Pipeline | readonly string[] | undefined {
  if (!hasPipeline(config)) {
    const idle = (['takes', 'gives'] as const).filter((key) => config[key] !== undefined);
    const says = (key: string): string =>
      `${key} tells what the steps of a pipeline make of it, but there is no before, after or runs`;
    return idle.length === 0 ? undefined : idle.map(says);
  }
  const amiss: string[] = [];
  const before = readSteps(config.before ?? [], 'before', place, amiss);
  const after = readSteps(config.after ?? [], 'after', place, amiss);
  const first = before[0];
  const last = after.at(-1);
  const takes = config.takes ?? first?.takes;
  const gives = config.gives ?? last?.gives;
  if (first !== undefined && takes === undefined) amiss.push(silent('takes', 'inputs', 'first', first.step));
  if (last !== undefined && gives === undefined) amiss.push(silent('gives', 'outputs', 'last', last.step));
  if (amiss.length > 0) return amiss;
  return {
    ...place,
    stamp: '',
    runs: config.runs ?? '',
    runsWhen: config.runsWhen ?? {},
    before: before.flatMap((known) => known?.step ?? []),
    after: after.flatMap((known) => known?.step ?? []),
    takes,
    gives,
    requestsInFlightMax: config.requestsInFlightMax ?? requestsInFlightMost,
    jobsInFlightMax: config.jobsInFlightMax ?? jobsInFlightMost,
  };
}

/** What was wrong with what was to be read, in place of it. */
export function isSentences<T>(read: T): read is Extract<T, readonly unknown[]> {
  return Array.isArray(read);
}

function silent(key: string, what: string, which: string, step: StepDeclaration): string {
  return (
    `${key} is missing: the ${which} step ${step.name} does not say which ${what} clients see; ` +
    `wanted is such as ${key}: [{ name: text, datatype: BYTES, shape: [-1] }]`
  );
}

/** Each in its place; undefined where it can't be had, which `amiss` tells. */
function readSteps(
  given: readonly unknown[],
  side: Side,
  place: StepPlace,
  amiss: string[],
): readonly (Known | undefined)[] {
  return given.map((entry, at) => {
    const read = readStep(entry, `${side}[${at}]`, side, place);
    if ('step' in read) return read;
    amiss.push(...read);
    return undefined;
  });
}

function readStep(entry: unknown, where: string, side: Side, place: StepPlace): Known | readonly string[] {
  const named = namedIn(entry);
  if (named === undefined) {
    return [
      `${where} is ${JSON.stringify(entry)}; wanted is the name of a step, or { name: { option: value } }`,
    ];
  }
  const [name, options] = named;
  const own = ownModule.exec(name);
  if (own !== null) {
    const file = own[1] as string;
    if (leadsOut(file)) return [`${where} is ${name}, which leads out of the model's folder`];
    const module = join(place.folder, file);
    if (statSync(module, { throwIfNoEntry: false })?.isFile() !== true)
      return [`${where} is ${name}, but there is no file ${module}`];
    const step = { name, module, member: own[2] ?? 'default', options };
    return { step, takes: undefined, gives: undefined };
  }
  const kind = Object.hasOwn(stepKinds, name) ? stepKinds[name] : undefined;
  if (kind === undefined) return [unknownStep(name, where, side)];
  if (kind.side !== side) return [`${where} is ${name}, which is a step for ${kind.side}`];
  const read = readShape(kind.options, options);
  if (!read.ok) return read.mistakes.map((mistake) => `${where} (${name}): ${mistake}`);
  const faults = kind.check?.(read.value, place) ?? [];
  if (faults.length > 0) return faults.map((fault) => `${where} (${name}): ${fault}`);
  const step = { name, module: '', member: '', options: read.value };
  return { step, takes: kind.takes?.(read.value), gives: kind.gives?.(read.value) };
}

function namedIn(entry: unknown): [name: string, options: unknown] | undefined {
  if (typeof entry === 'string') return [entry, {}];
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return undefined;
  const [named, ...more] = Object.entries(entry);
  return named === undefined || more.length > 0 ? undefined : [named[0], named[1] ?? {}];
}

function unknownStep(name: string, where: string, side: Side): string {
  const known = Object.keys(stepKinds).filter((other) => stepKinds[other]?.side === side);
  const near = nearest(name, known);
  const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`;
  return `${where} is ${JSON.stringify(name)}, which is no step; ${hint} (a step of your own: ./my-steps.js#name)`;
}

/** The model that a request with these parameters is for. */
export function runsFor({ runs, runsWhen }: Pipeline, parameters: ReadonlyMap<string, unknown>): string {
  for (const [name, models] of Object.entries(runsWhen)) {
    const value = parameters.get(name);
    const model =
      value !== undefined && Object.hasOwn(models, String(value)) ? models[String(value)] : undefined;
    if (model !== undefined) return model;
  }
  return runs;
}

/** All that it may run. */
export function everyRun({ runs, runsWhen }: Pipeline): readonly string[] {
  return [...new Set([runs, ...Object.values(runsWhen).flatMap((models) => Object.values(models))])];
}
