// A process for tests to lose: loads a simulated model in the place given, says so, and runs one input that commits the
// fault given. Ends with 3 if it lives to tell.
import { createExecutor } from '../../runtime/executor/factory.js';
import { entryOf, floatRun, loaded } from './models.js';

const [placement, fault] = process.argv.slice(2) as ['inline' | 'thread', string];
const config = {
  backend: 'simulated',
  placement,
  simulated: { alphaMs: 0, faultInput: { [fault]: 666 } },
} as const;
const executor = createExecutor();
await loaded(executor, entryOf({ config }));
process.send?.('loaded');
executor.run(
  floatRun(
    [
      [1, 2, 3, 4],
      [666, 0, 0, 0],
    ],
    4,
  ),
  () => process.exit(3),
);
