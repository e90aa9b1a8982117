// Charts: XState machines without guards or hidden context. A long-lived condition is moved by XState, which is asked for
// each move once; the job's chart, which moves for every request, is compiled into a flat table.
import {
  type AnyStateMachine,
  createMachine,
  initialTransition,
  type SnapshotFrom,
  transition,
} from 'xstate';

export { createMachine };
export type Machine = AnyStateMachine;

/** An event that the chart does not declare in its present state. Never silence. */
export class IllegalMove extends Error {
  constructor(chart: string, state: string, event: string) {
    super(`${chart} has no move for ${event} in ${state}`);
    this.name = 'IllegalMove';
  }
}

export interface Chart {
  readonly state: string;
  has(tag: string): boolean;
  can(event: string): boolean;
  /** True when the state changed. */
  move(event: string): boolean;
}

/** A condition of a chart, with those that events have led to so far. */
interface Condition {
  readonly snapshot: SnapshotFrom<Machine>;
  readonly state: string;
  readonly next: Map<string, Condition>;
}

/** By machine and state: charts without context are in the same conditions all their lives, so each is asked for once. */
const conditions = new WeakMap<Machine, Map<string, Condition>>();

export function startChart(machine: Machine): Chart {
  let now = firstOf(machine);
  return {
    get state() {
      return now.state;
    },
    has: (tag) => now.snapshot.hasTag(tag as never),
    can: (event) => declares(machine, now.state, event),
    move(event) {
      const before = now;
      let next = before.next.get(event);
      if (next === undefined) {
        if (!declares(machine, before.state, event)) throw new IllegalMove(machine.id, before.state, event);
        next = conditionOf(machine, transition(machine, before.snapshot, { type: event }));
        before.next.set(event, next);
      }
      now = next;
      return next !== before;
    },
  };
}

function firstOf(machine: Machine): Condition {
  const first = conditions.get(machine)?.get('');
  if (first !== undefined) return first;
  const known = new Map<string, Condition>();
  conditions.set(machine, known);
  const condition = conditionOf(machine, initialTransition(machine));
  known.set('', condition);
  return condition;
}

/** Actions that a chart names are for its desk to carry out. */
function conditionOf(machine: Machine, [snapshot]: [SnapshotFrom<Machine>, ...unknown[]]): Condition {
  const state = snapshot.value as string;
  const known = conditions.get(machine);
  let condition = known?.get(state);
  if (condition === undefined) {
    condition = { snapshot, state, next: new Map() };
    known?.set(state, condition);
  }
  return condition;
}

function declares(machine: Machine, state: string, event: string): boolean {
  return machine.states[state]?.transitions.has(event) === true || machine.root.transitions.has(event);
}

/** A chart as a table: rows are states, columns events. */
export interface Table<S extends string, E extends string, A extends string> {
  readonly states: readonly S[];
  readonly events: readonly E[];
  readonly initial: number;
  /** The next state, -1 where the chart declares nothing. */
  readonly next: Int16Array;
  readonly actions: readonly (readonly A[])[];
  readonly final: readonly boolean[];
}

export function compileChart<S extends string, E extends string, A extends string>(
  machine: Machine,
): Table<S, E, A> {
  const states = Object.keys(machine.states);
  const events = [...machine.events] as string[];
  const next = new Int16Array(states.length * events.length).fill(-1);
  const actions: string[][] = Array.from({ length: next.length }, () => []);
  states.forEach((state, row) => {
    events.forEach((event, column) => {
      const found = machine.states[state]?.transitions.get(event) ?? machine.root.transitions.get(event);
      const transition = found?.[0];
      if (transition === undefined || machine.states[state]?.type === 'final') return;
      if (found?.length !== 1 || transition.guard !== undefined) {
        throw new Error(
          `${machine.id}: ${event} in ${state} has a choice; every choice must be an event of its own`,
        );
      }
      const target = transition.target?.[0]?.key ?? state;
      next[row * events.length + column] = states.indexOf(target);
      actions[row * events.length + column] = transition.actions.map((action) => actionName(action));
    });
  });
  return {
    states: states as S[],
    events: events as E[],
    initial: states.indexOf(machine.root.initial.target[0]?.key ?? ''),
    next,
    actions: actions as A[][],
    final: states.map((state) => machine.states[state]?.type === 'final'),
  };
}

function actionName(action: unknown): string {
  return typeof action === 'string' ? action : (action as { type: string }).type;
}
