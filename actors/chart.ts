// Charts: XState machines without guards or hidden context. A long-lived condition runs as an XState actor; the job's
// chart, which moves too often for that, is compiled from the same kind of definition into a flat table.
import { type AnyStateMachine, createActor, createMachine } from 'xstate';

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

export function startChart(machine: Machine): Chart {
  const actor = createActor(machine);
  actor.start();
  let snapshot = actor.getSnapshot();
  actor.subscribe((next) => {
    snapshot = next;
  });
  return {
    get state() {
      return snapshot.value as string;
    },
    has: (tag) => snapshot.hasTag(tag as never),
    can: (event) => declares(machine, snapshot.value as string, event),
    move(event) {
      const before = snapshot.value as string;
      if (!declares(machine, before, event)) throw new IllegalMove(machine.id, before, event);
      if (stays(machine, before, event)) return false;
      actor.send({ type: event });
      return snapshot.value !== before;
    },
  };
}

function declares(machine: Machine, state: string, event: string): boolean {
  return machine.states[state]?.transitions.has(event) === true || machine.root.transitions.has(event);
}

/** The event leads back to the state and does nothing: most do, and then XState need not be asked. */
function stays(machine: Machine, state: string, event: string): boolean {
  const found = machine.states[state]?.transitions.get(event) ?? machine.root.transitions.get(event);
  const transition = found?.[0];
  if (found?.length !== 1 || transition === undefined || transition.guard !== undefined) return false;
  return transition.actions.length === 0 && (transition.target?.[0]?.key ?? state) === state;
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
