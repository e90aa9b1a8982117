// The Huffman code of HTTP/2's headers (RFC 7541, appendix B), read only. The code is canonical: how long each symbol's
// code is says what it is.

/** The symbols by the length of their code, in order. */
const byLength: readonly (readonly [number, string | readonly number[]])[] = [
  [5, '012aceiost'],
  [6, ' %-./3456789=A_bdfghlmnpru'],
  [7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'],
  [8, '&*,;XZ'],
  [10, '!"()?'],
  [11, "'+|"],
  [12, '#>'],
  [13, '\0$@[]~'],
  [14, '^}'],
  [15, '<`{'],
  [19, [92, 195, 208]],
  [20, [128, 130, 131, 162, 184, 194, 224, 226]],
  [21, [153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230]],
  [22, [129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189]],
  [22, [190, 196, 198, 228, 232, 233]],
  [23, [1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174]],
  [23, [175, 180, 182, 183, 188, 191, 197, 231, 239]],
  [24, [9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237]],
  [25, [199, 207, 234, 235]],
  [26, [192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255]],
  [27, [203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254]],
  [28, [2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31]],
  [28, [127, 220, 249]],
  [30, [10, 13, 22, 256]],
];

const longest = 30;
const endOfString = 256;
const symbols: number[] = [];
const countOf = new Int32Array(longest + 1);
for (const [length, listed] of byLength) {
  const codes = typeof listed === 'string' ? [...Buffer.from(listed, 'latin1')] : listed;
  symbols.push(...codes);
  countOf[length] = (countOf[length] ?? 0) + codes.length;
}

/** The string whose code lies in these bytes; what is left of the last byte must be ones, and fewer than eight. */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  // Among the codes of this length the first is `first`, and its symbol is number `index`.
  let [code, length, first, index] = [0, 0, 0, 0];
  for (let bit = from * 8; bit < to * 8; bit++) {
    code = (code << 1) | (((bytes[bit >> 3] as number) >> (7 - (bit & 7))) & 1);
    length++;
    if (length > longest) throw new Error('a header has a code that stands for nothing');
    first <<= 1;
    const count = countOf[length] as number;
    if (code - first >= count) {
      index += count;
      first += count;
      continue;
    }
    const symbol = symbols[index + code - first] as number;
    if (symbol === endOfString) throw new Error('a header has the end of its string within it');
    text += String.fromCharCode(symbol);
    code = length = first = index = 0;
  }
  if (length > 7 || code !== (1 << length) - 1) throw new Error('a header ends within a code');
  return text;
}
