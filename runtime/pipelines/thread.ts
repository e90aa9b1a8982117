// The pipeline thread: loads the steps of a model when its first request comes, and takes requests through them, several
// in turns, at a low priority, so that routing never waits for pixels or words.
import { constants, platform, setPriority } from 'node:os';
import { pathToFileURL } from 'node:url';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { isErrorCode } from '../../proto/errors.js';
import { modelKey } from '../../proto/ids.js';
import { settle } from '../clock.js';
import { memoryOf } from '../executor/letters.js';
import { BufferSweep } from '../heap.js';
import type { Pipeline, StepDeclaration } from './declaration.js';
import { stepKinds } from './kinds.js';
import { type FromPipelineThread, movable, type ToPipelineThread } from './letters.js';
import { type NamedStep, type OpenPipeline, Passage } from './passage.js';
import { type Step, StepError, type StepMaker, type Tensors } from './step.js';

// Before any library starts threads of its own, which inherit it. Elsewhere than on Linux it would lower the whole process.
if (platform() === 'linux') setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);

const port = parentPort as MessagePort;
/** Whose step runs, for whoever has to end a thread that no longer answers. */
const current = workerData as Int32Array;
const open = new Map<string, { readonly declared: string; readonly steps: Promise<OpenPipeline> }>();
const passages = new Map<number, Passage>();
/** Requests whose steps are being loaded, and letters to be answered when they are. */
let openingCount = 0;
let owed = 0;
/** Only what large answers leave behind reaches it. */
const sweep = new BufferSweep(32 << 20, 'major');

port.on('message', (letter: ToPipelineThread) => {
  if (letter.kind === 'stop') port.close();
  else if (letter.kind === 'answer') answer(letter);
  else if (letter.kind === 'begin') void pass(letter);
  else {
    owed++;
    payHeard();
    if (letter.kind === 'drop') passages.get(letter.id)?.drop();
  }
});
post({ kind: 'heard' });

/** When the first steps of all that has come have had their turn: they may be the ones that never end. */
function payHeard(): void {
  if (owed === 0 || openingCount > 0) return;
  settle(() => {
    for (; owed > 0 && openingCount === 0; owed--) post({ kind: 'heard' });
  });
}

async function openedHere(pipeline: Pipeline): Promise<OpenPipeline> {
  openingCount++;
  try {
    return await opened(pipeline);
  } finally {
    openingCount--;
    payHeard();
  }
}

function answer({ id, piece, outputs }: Extract<ToPipelineThread, { kind: 'answer' }>): void {
  passages.get(id)?.answer(piece, outputs);
  sweep.passed(outputs.reduce((sum, { data }) => sum + data.length, 0));
}

async function pass(letter: Extract<ToPipelineThread, { kind: 'begin' }>): Promise<void> {
  const { id, pipeline, inputs, parameters, leftMs } = letter;
  const ask = (piece: number, tensors: Tensors): void =>
    post({ kind: 'ask', id, piece, inputs: movable(tensors) });
  const runs = (): unknown => Atomics.store(current, 0, id);
  const passage = new Passage(pipeline, parameters, leftMs, { ask, runs });
  passages.set(id, passage);
  try {
    const steps = await openedHere(pipeline);
    passage.check();
    const outputs = wanted(await passage.run(inputs, steps), letter.outputs);
    post({ kind: 'done', id, outputs: movable(outputs) });
  } catch (fault) {
    const code = (fault as { code?: unknown } | undefined)?.code;
    const message = fault instanceof Error ? fault.message : String(fault);
    post({ kind: 'failed', id, code: isErrorCode(code) ? code : 'MODEL_FAILED', message });
  } finally {
    passages.delete(id);
    passage.drop();
  }
}

function wanted(outputs: Tensors, names: readonly string[]): Tensors {
  if (names.length === 0) return outputs;
  return names.map((name) => {
    const output = outputs.find((other) => other.name === name);
    if (output === undefined) throw new StepError('MODEL_FAILED', `the steps gave no output ${name}`);
    return output;
  });
}

/** A pipeline that was declared anew is opened anew; one that can't be opened is tried again with the next request. */
function opened(pipeline: Pipeline): Promise<OpenPipeline> {
  const key = modelKey(pipeline.model, pipeline.version);
  const declared = JSON.stringify(pipeline);
  const known = open.get(key);
  if (known?.declared === declared) return known.steps;
  const steps = openPipeline(pipeline);
  open.set(key, { declared, steps });
  steps.catch(() => {
    if (open.get(key)?.steps === steps) open.delete(key);
  });
  return steps;
}

async function openPipeline(pipeline: Pipeline): Promise<OpenPipeline> {
  const side = async (declarations: readonly StepDeclaration[]): Promise<NamedStep[]> => {
    const steps: NamedStep[] = [];
    for (const declaration of declarations) {
      steps.push({ name: declaration.name, step: await openStep(declaration, pipeline) });
    }
    return steps;
  };
  return { before: await side(pipeline.before), after: await side(pipeline.after) };
}

async function openStep(
  { name, module, member, options }: StepDeclaration,
  pipeline: Pipeline,
): Promise<Step> {
  try {
    const maker =
      module === '' ? await stepKinds[name]?.load() : await ownMaker(module, member, pipeline.stamp);
    if (maker === undefined) throw new Error('this version does not have it');
    const step = await maker.open(options, pipeline);
    if (typeof step?.apply === 'function' || typeof step?.join === 'function') return step;
    throw new Error('its `open` gave nothing with `apply` or `join`');
  } catch (fault) {
    throw new StepError('MODEL_UNAVAILABLE', `the step ${name} can't be loaded: ${(fault as Error).message}`);
  }
}

/** A module exports either what has `open`, or a step as it is, or just its `apply`. */
async function ownMaker(module: string, member: string, stamp: string): Promise<StepMaker<unknown>> {
  const { href } = pathToFileURL(module);
  // A module is kept by its address for as long as the thread lives.
  const exported = (await import(stamp === '' ? href : `${href}?${stamp}`)) as Record<string, unknown>;
  const found = exported[member];
  if (found === undefined) {
    throw new Error(
      `${module} exports no ${member}; it exports ${Object.keys(exported).join(', ') || 'nothing'}`,
    );
  }
  if (typeof found === 'function') return { open: () => ({ apply: found as NonNullable<Step['apply']> }) };
  if (typeof (found as StepMaker<unknown>).open === 'function') return found as StepMaker<unknown>;
  return { open: () => found as Step };
}

function post(letter: FromPipelineThread): void {
  const tensors = letter.kind === 'ask' ? letter.inputs : letter.kind === 'done' ? letter.outputs : [];
  port.postMessage(letter, memoryOf(tensors));
}
