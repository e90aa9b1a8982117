// A JPEG made of JPEGs: strips of one image, each written by itself, become one file whose scans are joined by restart markers.
// So an image of any size is written a few rows at a time; it is the very one that would be written at once.

const stripRowsMost = 128;
const restartMost = 65_535;
const [startOfFrame, startOfScan, restartInterval, firstRestart] = [0xc0, 0xda, 0xdd, 0xd0];

/** Blocks in which colours are coded at half their size; grey is coded in single ones. */
function blockSide(channels: number): number {
  return channels < 3 ? 8 : 16;
}

function blocksOf(width: number, rows: number, channels: number): number {
  const side = blockSide(channels);
  return Math.ceil(width / side) * (rows / side);
}

/** Rows of every strip but the last. */
export function stripRows(width: number, channels: number): number {
  let rows = stripRowsMost;
  while (rows > 16 && blocksOf(width, rows, channels) > restartMost) rows -= 16;
  return rows;
}

/** What a strip adds to the file; the first one brings the head along. The strips must be written with the same tables. */
export function stripPart(
  strip: Uint8Array,
  at: number,
  { width, height, channels }: { readonly width: number; readonly height: number; readonly channels: number },
): Uint8Array[] {
  const { frame, scan, data } = placesIn(strip);
  const content = strip.subarray(data, strip.length - 2);
  if (at > 0) return [Uint8Array.of(0xff, firstRestart + ((at - 1) % 8)), content];
  const head = Uint8Array.from(strip.subarray(0, scan));
  new DataView(head.buffer).setUint16(frame + 5, height);
  const blocks = blocksOf(width, stripRows(width, channels), channels);
  const interval = Uint8Array.of(0xff, restartInterval, 0, 4, blocks >> 8, blocks & 0xff);
  return [head, interval, strip.subarray(scan, data), content];
}

export const fileEnd = Uint8Array.of(0xff, 0xd9);

/** Where its frame header, its scan header and the coded content begin. */
function placesIn(strip: Uint8Array): { frame: number; scan: number; data: number } {
  const view = new DataView(strip.buffer, strip.byteOffset, strip.length);
  let frame = 0;
  for (let at = 2; at + 4 < strip.length; at += 2 + view.getUint16(at + 2)) {
    if (view.getUint8(at + 1) === startOfFrame) frame = at;
    if (view.getUint8(at + 1) === startOfScan)
      return { frame, scan: at, data: at + 2 + view.getUint16(at + 2) };
  }
  throw new Error('a strip was written without a scan');
}
