// Every planted bug is found: a simulator that finds nothing may only be blind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bugs } from './bugs.js';
import { runTasks } from './crew.js';

test('every planted bug is found', async () => {
  const found = new Map<string, string>();
  const tasks = Object.keys(bugs).map((bug) => ({ from: 1, count: 1000, bug, untilFound: true }));
  await runTasks(tasks, ({ task, violations: [first] }) => found.set(task.bug, first?.violation ?? ''));
  assert.ok(found.size >= 41);
  assert.deepEqual(
    [...found].filter(([, violation]) => violation === '').map(([bug]) => bug),
    [],
  );
});
