// The sample rights in NATS are what their list says, and the list gives nobody what is not his. (That nodes can work with them,
// and that NATS takes them so, is shown by test/processes/nats-roles.)
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { permissionsText, subjectsOf, users } from './permissions.js';

const file = 'examples/cluster/nats/permissions.conf';

test('the file is what is written', () => {
  assert.equal(readFileSync(file, 'utf8'), permissionsText(), `run \`npm run readme\` and commit ${file}`);
});

test('what changes something is given to those alone who are to change it', () => {
  const given = (subject: RegExp): string[] =>
    Object.entries(users).flatMap(([name, user]) =>
      subjectsOf(user).some((one) => subject.test(one)) ? [name] : [],
    );
  assert.deepEqual(given(/^\$KV\.\S+-owners\./), ['scheduler']);
  assert.deepEqual(given(/^(\$KV\.\S+-manifests|\$O\.)/), ['operator']);
  assert.deepEqual(given(/^\$KV\.\S+-members\.>$/), ['router', 'scheduler']);
  assert.deepEqual(given(/^\$KV\.\S+-members\.\*\.worker\.\*$/), ['worker']);
  assert.deepEqual(given(/STREAM\.UPDATE/), ['scheduler']);
  assert.deepEqual(given(/STREAM\.PURGE/), ['operator']);
  assert.deepEqual(given(/STREAM\.DELETE|^>|^\$JS\.(API\.)?>|^\*|CONSUMER\.CREATE\.>/), []);
});
