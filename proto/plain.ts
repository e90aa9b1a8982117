// A look over received bytes before they are unpacked: only the plain parts of MessagePack are let through (nil,
// booleans, numbers, text, arrays), each array no longer than the bytes that are there. So rubbish can neither fill the
// memory nor reach the unpacker's extensions, some of which change how it reads whatever comes after.

const depthMax = 6;
const string8 = 0xd9;
const string32 = 0xdb;
const array16 = 0xdc;
const array32 = 0xdd;

/** Per first byte: how many bytes follow in a value without parts, or -1. */
const tails = new Int8Array(256).fill(-1);
tails.fill(0, 0x00, 0x80);
tails.fill(0, 0xe0, 0x100);
for (let length = 0; length < 32; length++) tails[0xa0 + length] = length;
for (const head of [0xc0, 0xc2, 0xc3]) tails[head] = 0;
/** Floats of 4 and 8 bytes, then unsigned and signed integers of 1, 2, 4 and 8. */
[4, 8, 1, 2, 4, 8, 1, 2, 4, 8].forEach((tail, index) => {
  tails[0xca + index] = tail;
});

/** True when the bytes are exactly one value of plain parts. */
export function isPlain(bytes: Uint8Array): boolean {
  const outer: number[] = [];
  let due = 1;
  let at = 0;
  for (;;) {
    while (due === 0) {
      const left = outer.pop();
      if (left === undefined) return at === bytes.length;
      due = left;
    }
    if (at >= bytes.length) return false;
    due--;
    const head = bytes[at++] as number;
    const tail = tails[head] as number;
    if (tail >= 0) at += tail;
    else if (head >= string8 && head <= string32) {
      const width = 1 << (head - string8);
      at += width + unsigned(bytes, at, width);
    } else {
      let count: number;
      if (head >= 0x90 && head <= 0x9f) count = head & 0x0f;
      else if (head === array16 || head === array32) {
        const width = head === array16 ? 2 : 4;
        count = unsigned(bytes, at, width);
        at += width;
      } else return false;
      // Every value takes a byte at least.
      if (count > bytes.length - at || outer.length === depthMax) return false;
      outer.push(due);
      due = count;
    }
  }
}

/** Big-endian; what lies behind the end counts as 0, and the walk ends there. */
function unsigned(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let index = at; index < at + width; index++) value = value * 256 + (bytes[index] ?? 0);
  return value;
}
