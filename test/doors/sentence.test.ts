// What is told to people and in headers stays within its bounds, and says so where it was cut.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathText } from '../../runtime/doors/door.js';
import { counted, headerSafe, shapeText, shown } from '../../runtime/doors/sentence.js';

test('a path that is too long for a header ends in dots behind a whole step', () => {
  const step = { state: 'running', afterMs: 1.25, why: 'w'.repeat(200) };
  const text = pathText(Array(24).fill(step));
  assert.ok(text.length > 2800 && text.length <= 3006, String(text.length));
  assert.match(text, /^(running@1\.3ms\(w{157}\.\.\.\) > )+\.\.\.$/);
  assert.equal(pathText([]), '');
  assert.equal(
    pathText([
      { ...step, why: '' },
      { ...step, why: 'x' },
    ]),
    'running@1.3ms > running@1.3ms(x)',
  );
});

test('a header that is cut ends in dots, and what it can’t carry is replaced', () => {
  assert.equal(headerSafe('1234567890', 10), '1234567890');
  assert.equal(headerSafe('12345678901', 10), '1234567...');
  assert.equal(headerSafe('\u00e9\n', 10), '??');
});

test('what was given is shown shortly, and numbers that were rounded are not told as given', () => {
  assert.deepEqual([7, '4', null, undefined, true, 2n ** 60n, [1, 2], { a: 1 }].map(shown), [
    '7',
    '"4"',
    'null',
    'missing',
    'true',
    '1152921504606846976',
    'a list',
    'an object',
  ]);
  assert.equal(shapeText([1, -1, 2n ** 60n]), '[1,-1,1152921504606846976]');
  assert.equal(shapeText([2 ** 53, -(2 ** 53)]), '[more than 9007199254740991,less than -9007199254740991]');
  assert.equal(shapeText(Array(21).fill(1)), `[${'1,'.repeat(20)}...]`);
});

test('one is not many', () => {
  assert.deepEqual(
    [counted(1, 'input'), counted(0, 'input'), counted(2, 'entry', 'entries')],
    ['1 input', '0 inputs', '2 entries'],
  );
});
