// Which image a client gets by its Accept header: of those that can be made the one that it wants most, and none where it
// takes none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takesImage, wantedFormat } from '../../runtime/doors/rest/accept.js';

const wanted: readonly [accept: string | undefined, format: string | undefined][] = [
  [undefined, undefined],
  ['*/*', undefined],
  ['image/*', undefined],
  ['image/webp', 'webp'],
  ['image/jpg', 'jpg'],
  ['IMAGE/WebP', 'webp'],
  ['image/avif,image/webp;q=0.9', 'webp'],
  ['image/webp;q=0.5, image/jpeg ; q=0.8', 'jpeg'],
  ['image/png, image/jpeg', 'png'],
  ['image/png;q=0, image/jpeg;q=0.1', 'jpeg'],
  ['image/*, image/webp;q=0.9', undefined],
  ['image/avif,image/webp,image/apng,image/*,*/*;q=0.8', 'webp'],
  ['image/avif, image/*;q=0.1', undefined],
  ['image/avif', 'avif'],
  ['image/avif, application/json', undefined],
  ['application/json', undefined],
];
for (const [accept, format] of wanted) {
  test(`the format for Accept: ${accept}`, () => assert.equal(wantedFormat(accept), format));
}

const takes: readonly [accept: string | undefined, sendsImage: boolean, isTaken: boolean][] = [
  [undefined, true, true],
  [undefined, false, false],
  ['*/*', true, true],
  ['*/*', false, false],
  ['image/*', false, true],
  ['application/json', true, false],
  ['application/json, image/png;q=0.1', false, true],
  ['image/avif, application/json', true, false],
  ['image/png;q=0, */*', true, true],
];
for (const [accept, sendsImage, isTaken] of takes) {
  test(`an image ${sendsImage ? 'for an image' : 'for a tensor'} with Accept: ${accept}: ${isTaken}`, () => {
    assert.equal(takesImage(accept, sendsImage), isTaken);
  });
}
