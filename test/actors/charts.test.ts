// Every chart, walked state by event: what it declares leads where it says, anything else is an error, and no state is
// there that nothing leads to.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { createActor } from 'xstate';
import { getShortestPaths } from 'xstate/graph';
import { compileChart, createMachine, IllegalMove, type Machine, startChart } from '../../actors/chart.js';

const actors = new URL('../../actors/', import.meta.url);
const files = readdirSync(actors, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.machine.js'),
);
const machines: Machine[] = [];
for (const file of files) {
  const exported = (await import(new URL(file, actors).href)) as Record<string, Machine>;
  machines.push(...Object.values(exported));
}

/** Read from the definition as it is written, not as XState understands it. */
function declared(machine: Machine, state: string, event: string): string | undefined {
  const states = machine.config.states as Record<string, { on?: Record<string, unknown> }>;
  const transition = states[state]?.on?.[event];
  return typeof transition === 'string' ? transition : (transition as { target: string } | undefined)?.target;
}

/** The events that lead to each state that can be reached. */
function ways(machine: Machine): Map<string, string[]> {
  const paths = getShortestPaths(machine, { events: machine.events.map((type) => ({ type })) });
  return new Map(
    paths.map(({ state, steps }) => [
      String(state.value),
      steps.map((step) => step.event.type).filter((type) => type !== 'xstate.init'),
    ]),
  );
}

describe('the charts', () => {
  test('are all here', () => {
    assert.deepEqual(machines.map(({ id }) => id).sort(), [
      'job',
      'lane',
      'node',
      'peer',
      'router',
      'share',
      'worker',
    ]);
  });

  for (const machine of machines) {
    const states = Object.keys(machine.states);
    const reached = ways(machine);

    test(`${machine.id}: every state can be reached`, () => {
      assert.deepEqual([...reached.keys()].sort(), [...states].sort());
    });

    test(`${machine.id}: every event is declared somewhere`, () => {
      for (const event of machine.events) {
        assert.ok(
          states.some((state) => declared(machine, state, event) !== undefined),
          event,
        );
      }
    });

    for (const state of states) {
      test(`${machine.id}: every event in ${state}`, () => {
        for (const event of machine.events) {
          const chart = startChart(machine);
          for (const step of reached.get(state) ?? []) chart.move(step);
          assert.equal(chart.state, state);
          const target = declared(machine, state, event);
          assert.equal(chart.can(event), target !== undefined, event);
          if (target === undefined) {
            assert.throws(() => chart.move(event), {
              name: 'IllegalMove',
              message: `${machine.id} has no move for ${event} in ${state}`,
            });
            assert.equal(chart.state, state, 'a refused event changes nothing');
          } else {
            assert.equal(chart.move(event), target !== state, event);
            assert.equal(chart.state, target, event);
          }
        }
      });
    }

    test(`${machine.id}: an event that no state knows is refused everywhere`, () => {
      for (const way of reached.values()) {
        const chart = startChart(machine);
        for (const step of way) chart.move(step);
        assert.throws(() => chart.move('nonsense'), IllegalMove);
      }
    });
  }
});

describe('a compiled chart', () => {
  // A real XState actor in each state is asked what the table says: next state and actions, for every event.
  for (const machine of machines) {
    test(`${machine.id}: the table says what the chart does`, () => {
      const table = compileChart(machine);
      let done: string[] = [];
      const actionNames = [...new Set(table.actions.flat())];
      const counted = machine.provide({
        actions: Object.fromEntries(actionNames.map((name) => [name, () => done.push(name)])),
      });
      assert.deepEqual([...table.states], Object.keys(machine.states));
      assert.equal(table.states[table.initial], createActor(machine).getSnapshot().value);
      let moves = 0;
      for (const [row, state] of table.states.entries()) {
        assert.equal(
          table.final[row],
          counted.resolveState({ value: state, context: {} }).status === 'done',
          state,
        );
        for (const [column, event] of table.events.entries()) {
          const actor = createActor(counted, {
            snapshot: counted.resolveState({ value: state, context: {} }),
          });
          actor.start();
          done = [];
          const known = actor.getSnapshot().can({ type: event });
          actor.send({ type: event });
          const at = row * table.events.length + column;
          const next = table.next[at] as number;
          assert.equal(next >= 0, known, `${event} in ${state}`);
          assert.equal(actor.getSnapshot().value, known ? table.states[next] : state, `${event} in ${state}`);
          assert.deepEqual(table.actions[at], done, `${event} in ${state}`);
          if (known) moves++;
        }
      }
      assert.ok(moves >= table.states.length - 1);
    });
  }

  test('a choice that is not an event of its own is refused', () => {
    const choosing = createMachine({
      id: 'choosing',
      initial: 'here',
      states: {
        here: { on: { go: [{ guard: () => true, target: 'there' }, { target: 'here' }] } },
        there: {},
      },
    });
    assert.throws(() => compileChart(choosing), /choosing: go in here has a choice/);
  });
});
