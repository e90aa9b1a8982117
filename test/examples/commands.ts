// Commands as the samples and their README write them: read to the end as the program reads them, and run as far as there is
// nobody to ask.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { ConfigError, loadConfig } from '../../runtime/config/load.js';
import { keysText } from '../../runtime/keys/command.js';
import { clusterText } from '../../runtime/membership/command.js';
import { modelsText } from '../../runtime/models/command.js';
import { planOf } from '../../runtime/node/plan.js';

/** It fails only where there is nobody to ask. */
export async function isCommand(text: string, keyFile: string): Promise<void> {
  const [program, entry, ...words] = text
    .replace('PUBLIC_KEY', '5f'.repeat(32))
    .split(/\s+/)
    .map((word) => word.replace(/^["']|["']$/g, ''));
  assert.deepEqual([program, entry], ['node', 'runtime'], text);
  const [verb = '', ...rest] = words;
  const nowhere = ['--url', 'http://127.0.0.1:1'];
  try {
    if (verb === 'cluster') {
      await clusterText([...rest.filter((word) => !/^http/.test(word) && word !== '--url'), ...nowhere], {});
    } else if (verb === 'keys') {
      const out = rest.map((word) => (word.startsWith('keys') ? join(dirname(keyFile), word) : word));
      keysText(out, {});
    } else if (verb === 'models') {
      const here = rest.map((word) => word.replace(/nats:\/\/.*/, 'nats://127.0.0.1:1'));
      await modelsText([...here], {});
    } else {
      const here = words.map((word) => word.replace(/^.*\/node\.key$/, keyFile));
      planOf(loadConfig(here, {}).config);
    }
  } catch (fault) {
    assert.ok(!(fault instanceof ConfigError), `${text}: ${(fault as Error).message}`);
  }
}
