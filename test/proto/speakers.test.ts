// Who may say what: each message has its speaker, and nobody else is heard.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roles } from '../../proto/ids.js';
import { messages } from '../../proto/messages.js';
import { maySay } from '../../proto/speakers.js';

test('every message can be said by some role', () => {
  for (const { type } of Object.values(messages)) assert.ok(maySay(roles, type), type);
});

test('verdicts are said by health alone, ends of workers by their host, answers by workers', () => {
  const said = { 'peer.judged': 'health', 'worker.exited': 'host', 'batch.finished': 'worker' } as const;
  for (const [type, speaker] of Object.entries(said) as [
    keyof typeof said,
    (typeof said)[keyof typeof said],
  ][]) {
    for (const role of roles) assert.equal(maySay([role], type), role === speaker, `${role} says ${type}`);
  }
});
