// Blocks of headers are read as RFC 7541 shows them in its appendix C, and what is not whole is said to be so.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BlockReader, headerBlock } from './header-block.js';
import { decodeHuffman } from './huffman.js';

function read(block: Buffer, wants: (name: string) => boolean = () => true): [string, string][] {
  const fields: [string, string][] = [];
  new BlockReader(wants, (name, value) => fields.push([name, value])).read(block, 0, block.length);
  return fields;
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

const request = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'www.example.com'],
];
const answer = [
  [':status', '302'],
  ['cache-control', 'private'],
  ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
  ['location', 'https://www.example.com'],
];

describe('the appendix', () => {
  const vectors: [string, string, string[][]][] = [
    [
      'C.2.1',
      '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      [['custom-key', 'custom-header']],
    ],
    ['C.2.2', '040c 2f73 616d 706c 652f 7061 7468', [[':path', '/sample/path']]],
    ['C.2.3', '1008 7061 7373 776f 7264 0673 6563 7265 74', [['password', 'secret']]],
    ['C.2.4', '82', [[':method', 'GET']]],
    ['C.3.1', '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', request],
    ['C.4.1', '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', request],
    [
      'C.5.1',
      `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
       2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
       6c65 2e63 6f6d`,
      answer,
    ],
    [
      'C.6.1',
      `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
       2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
      answer,
    ],
  ];
  for (const [name, bytes, fields] of vectors) {
    test(name, () => assert.deepEqual(read(hex(bytes.replaceAll('\n', ''))), fields));
  }

  test('C.6.3, the longest of its strings', () => {
    const bytes = hex(
      '94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
    );
    assert.equal(
      decodeHuffman(bytes, 0, bytes.length),
      'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
    );
  });

  test('C.1.2, a number of more bytes than one', () => {
    const value = 'v'.repeat(1337);
    assert.deepEqual(read(headerBlock({ name: value, other: 'w'.repeat(126), third: 'x'.repeat(127) })), [
      ['name', value],
      ['other', 'w'.repeat(126)],
      ['third', 'x'.repeat(127)],
    ]);
  });
});

test('only what is wanted is handed over', () => {
  const block = hex('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff 040c 2f73 616d 706c 652f 7061 7468');
  const wanted = read(block, (name) => name === ':path');
  assert.deepEqual(wanted, [
    [':path', '/'],
    [':path', '/sample/path'],
  ]);
});

test('a table that is emptied is none; one that is kept is not read', () => {
  assert.deepEqual(read(hex('20 82')), [[':method', 'GET']]);
  assert.throws(() => read(hex('3f 01 82')), /keeps a table/);
  assert.throws(() => read(hex('be')), /of no table/);
  assert.throws(() => read(hex('80')), /of no table/);
});

test('what is not whole is an error', () => {
  assert.throws(() => read(hex('400a 6375 7374')), /cut short/);
  assert.throws(() => read(hex('040c 2f73'), () => false), /cut short/);
  assert.throws(() => read(hex('00 7f ff ff ff ff ff ff')), /without end/);
  assert.throws(() => decodeHuffman(hex('f1 e3 c2 e5 f2 3a 6b a0 ab 90 f4 00'), 0, 12), /within a code/);
  assert.throws(() => decodeHuffman(hex('ff ff ff ff'), 0, 4), /end of its string|stands for nothing/);
});
