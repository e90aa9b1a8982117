// Every planted bug is found: a simulator that finds nothing may only be blind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bugs, shownBy } from './bugs.js';
import { runTasks } from './crew.js';

test('every planted bug is found', async (context) => {
  const found = new Map<string, string>();
  const tasks = Object.keys(bugs).map((bug) => {
    return { from: 1, count: 1000, likely: shownBy[bug], bug, untilFound: true };
  });
  await runTasks(tasks, ({ task, violations: [first] }) => {
    found.set(task.bug, first?.violation ?? '');
    if (task.likely !== undefined && first !== undefined && first.seed !== task.likely)
      context.diagnostic(`${task.bug}: seed ${task.likely} shows it no more, ${first.seed} does`);
  });
  assert.ok(found.size >= 41);
  assert.deepEqual(
    [...found].filter(([, violation]) => violation === '').map(([bug]) => bug),
    [],
  );
});
