// The quick reader of plain JSON: what it reads is what JSON.parse reads, and at all else it gives up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPlainJson } from '../../runtime/doors/rest/plain-json.js';

function read(text: string): unknown {
  const bytes = Buffer.from(text);
  return readPlainJson(bytes, bytes.length);
}

test('what requests are made of is read', () => {
  for (const text of [
    '{"inputs":[{"name":"input","datatype":"FP32","shape":[1,3],"data":[0,-0.0625,12.5]}]}',
    ' { "id" : "a b" , "inputs" : [ ] ,\n\t"outputs" : [ { "name" : "y" , "parameters" : { } } ] } ',
    '{"data":[[1,2],[3,4]],"data":[[5]]}',
    '[0.000001,999999999999999,-0,0.1,123456.789012345]',
    '["one",[2],{"k":3},4]',
    '7',
  ]) {
    assert.deepStrictEqual(read(text), JSON.parse(text), text);
  }
});

test('what is not plain is left to the careful reader', () => {
  for (const text of [
    '{"a":true}',
    '[1,"one"]',
    '{"a":null}',
    '[1e3]',
    '[1234567890123456]',
    '[0.1234567890123456]',
    '{"a":"\\n"}',
    '{"a":"é"}',
    '{"__proto__":{"a":1}}',
    '[[[[[[[[[1]]]]]]]]]',
    `["${'a'.repeat(17_000)}"]`,
  ]) {
    JSON.parse(text);
    assert.equal(read(text), undefined, text.slice(0, 40));
  }
});

test('what is no JSON is left to the careful reader, which can say why', () => {
  for (const text of [
    ...[
      '',
      ' ',
      '{',
      '[',
      '"a',
      '{"a"',
      '{"a":',
      '{"a":1',
      '{"a":1,',
      '{"a":1,}',
      '{1:2}',
      '{"a" 1}',
      '{a:1}',
    ],
    ...[
      '[1',
      '[1,',
      '[1,]',
      '[,1]',
      '[1 2]',
      '[1]]',
      '[1] 2',
      '[01]',
      '[-]',
      '[.5]',
      '[1.]',
      '[1.-2]',
      '[1-2]',
    ],
    ...['[--1]', '[+1]', '[1.2.3]', '["a" "b"]', '["a\u0007"]', '[NaN]', '[1,"a",]', '{"a":[1}', "['a']"],
  ]) {
    assert.throws(() => JSON.parse(text), text);
    assert.equal(read(text), undefined, text);
  }
});

test('only the bytes that are asked for are read', () => {
  const bytes = Buffer.from('{"a":12}34');
  assert.deepStrictEqual(readPlainJson(bytes, 8), { a: 12 });
  assert.equal(readPlainJson(bytes, 7), undefined);
  assert.equal(readPlainJson(bytes, 9), undefined);
});

test('each number is the nearest double, as with JSON.parse', () => {
  let state = 7;
  const below = (bound: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  for (let round = 0; round < 20_000; round++) {
    const sign = below(2) === 0 ? '-' : '';
    const digits = String(1 + below(2 ** 31)) + (below(2) === 0 ? '' : String(below(100_000)));
    const places = below(digits.length);
    const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
    assert.ok(Object.is(read(sign + text), JSON.parse(sign + text)), sign + text);
  }
});
