// The settings of a simulated model: what a run costs and which faults it commits. Read with sentences for the person
// who wrote the file, since nothing else checks them.

export const simulatedFaultMeanings = {
  die: 'the process ends by SIGSEGV',
  hang: 'the run never ends',
  slow: 'it takes `slowFactor` times as long',
  garbage: 'the outputs have too few bytes',
  nan: 'the right size, every float NaN',
  lost: 'the device is reported lost',
  sick: 'this run is right, and in all later ones of its process every float is NaN',
  drift: 'this run is right, and in all later ones of its process every float is 1 more',
} as const;

export type SimulatedFault = keyof typeof simulatedFaultMeanings;
export const simulatedFaults = Object.keys(simulatedFaultMeanings) as readonly SimulatedFault[];

export interface SimulatedSettings {
  readonly alphaMs: number;
  readonly betaMs: number;
  readonly steps: readonly (readonly [rows: number, ms: number])[];
  readonly jitter: number;
  readonly seed: number;
  readonly slowFactor: number;
  readonly faultInput: Readonly<Partial<Record<SimulatedFault, number>>>;
  readonly faultEvery: Readonly<Partial<Record<SimulatedFault, number>>>;
}

export const simulatedMeanings: Readonly<Record<keyof SimulatedSettings, string>> = {
  alphaMs: 'What a run costs whatever its rows, from 0, where no `steps` are given.',
  betaMs: 'What each row adds to that, from 0.',
  steps:
    'Rows and milliseconds, both ascending, such as [[1, 2], [8, 3.5]]: a run costs what the next larger step says, ' +
    'beyond the last in proportion.',
  jitter: 'Share of the cost, 0 to 1, by which it varies up and down.',
  seed: 'A number from which the variation is drawn: the same, the same runs.',
  slowFactor: 'How many times as long a slow run takes.',
  faultInput:
    'A fault and a number, such as { die: 666 }: a request whose rows begin with it commits the fault.',
  faultEvery: 'A fault and a whole number n from 1: every n-th run commits the fault.',
};

export const simulatedDefaults: SimulatedSettings = {
  alphaMs: 1,
  betaMs: 0.1,
  steps: [],
  jitter: 0,
  seed: 1,
  slowFactor: 10,
  faultInput: {},
  faultEvery: {},
};

/** The settings with defaults filled in, or the sentences that say which keys are wrong and what they may be. */
export function readSimulated(given: unknown): SimulatedSettings | string {
  const read = studySimulated(given);
  return 'alphaMs' in read ? read : read.join('; ');
}

/** The same with a sentence for each mistake, which begins with its key. */
export function studySimulated(given: unknown): SimulatedSettings | readonly string[] {
  if (given === undefined || given === null) return simulatedDefaults;
  if (!isRecord(given)) return [`simulated is ${show(given)}, wanted are settings such as alphaMs: 2`];
  const faults = Object.entries(given).flatMap(([key, value]) => faultsOf(key, value));
  if (faults.length > 0) return faults;
  return { ...simulatedDefaults, ...given };
}

export function costOf({ alphaMs, betaMs, steps }: SimulatedSettings, rows: number): number {
  const last = steps.at(-1);
  if (last === undefined) return alphaMs + betaMs * rows;
  const step = steps.find(([most]) => rows <= most);
  return step === undefined ? (last[1] * rows) / last[0] : step[1];
}

function faultsOf(key: string, value: unknown): string[] {
  if (!Object.hasOwn(simulatedDefaults, key)) {
    return [`simulated.${key} is not known, allowed are ${Object.keys(simulatedDefaults).join(', ')}`];
  }
  if (key === 'steps') return isSteps(value) ? [] : [`simulated.steps is ${show(value)}, ${stepsWanted}`];
  if (key === 'faultInput') return badFaults(key, value, isNumber, 'a number');
  if (key === 'faultEvery') return badFaults(key, value, isPositiveCount, 'a whole number from 1');
  if (key === 'seed') return isNumber(value) ? [] : [`simulated.seed is ${show(value)}, wanted is a number`];
  if (key === 'jitter' && isNumber(value) && value > 1)
    return [`simulated.jitter is ${value}, wanted is 0 to 1`];
  return isNumber(value) && value >= 0
    ? []
    : [`simulated.${key} is ${show(value)}, wanted is a number from 0`];
}

const stepsWanted = 'wanted are rows from 1 and milliseconds, both ascending, such as [[1, 2], [8, 3.5]]';

function isSteps(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((step: unknown, at) => {
      if (!Array.isArray(step) || step.length !== 2) return false;
      const [rows, ms] = step as unknown[];
      const [rowsBefore, msBefore] = (value[at - 1] ?? [0, 0]) as [number, number];
      return isPositiveCount(rows) && (rows as number) > rowsBefore && isNumber(ms) && ms >= msBefore;
    })
  );
}

function badFaults(
  key: string,
  value: unknown,
  isGood: (value: unknown) => boolean,
  wanted: string,
): string[] {
  const known = simulatedFaults.join(', ');
  if (!isRecord(value))
    return [`simulated.${key} is ${show(value)}, wanted is a map of ${known} to ${wanted}`];
  return Object.entries(value).flatMap(([fault, trigger]) => {
    if (!simulatedFaults.includes(fault as SimulatedFault))
      return [`simulated.${key}.${fault} is not known, allowed are ${known}`];
    return isGood(trigger) ? [] : [`simulated.${key}.${fault} is ${show(trigger)}, wanted is ${wanted}`];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isPositiveCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
