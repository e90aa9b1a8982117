// What is written piece by piece, put together at the end without being held twice: the pieces lie in memory that goes back to
// the system as soon as they are copied.

type Resizable = ArrayBuffer & { readonly resizable: boolean; resize(bytes: number): void };
const ResizableBuffer = ArrayBuffer as unknown as new (
  bytes: number,
  options: { readonly maxByteLength: number },
) => Resizable;

/** In memory that goes back to the system when it is emptied; what is merely freed stays with the process. */
export function copyOf(part: Uint8Array): Uint8Array {
  const buffer = new ResizableBuffer(part.length, { maxByteLength: part.length });
  const copy = new Uint8Array(buffer, 0, part.length);
  copy.set(part);
  return copy;
}

export function emptied({ buffer }: Uint8Array): void {
  (buffer as Resizable).resize(0);
}

/** In parts of so many bytes, each in memory of its own; what is a copy from here shrinks meanwhile, so that nothing is held twice. */
export function splitUp(whole: Uint8Array, bytes: number): Uint8Array[] {
  const { buffer, byteOffset } = whole;
  const canShrink = (buffer as Resizable).resizable && byteOffset + whole.length === buffer.byteLength;
  const parts: Uint8Array[] = [];
  let end = whole.length;
  for (let at = Math.floor((end - 1) / bytes) * bytes; at >= 0; at -= bytes) {
    parts.unshift(copyOf(new Uint8Array(buffer, byteOffset + at, end - at)));
    end = at;
    if (canShrink) (buffer as Resizable).resize(byteOffset + at);
  }
  return parts;
}

export class Gathered {
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;

  add(piece: Uint8Array): void {
    this.#pieces.push(copyOf(piece));
    this.#bytes += piece.length;
  }

  /** Behind `room` bytes for whatever goes before it; nothing is left here. */
  taken(room: number): Uint8Array {
    const whole = new Uint8Array(room + this.#bytes);
    let to = room;
    for (const piece of this.#pieces.splice(0)) {
      whole.set(piece, to);
      to += piece.length;
      emptied(piece);
    }
    return whole;
  }
}

/** A file in memory, whose head may be written once more at its end. */
export class StoredFile {
  readonly #gathered = new Gathered();
  #head: Uint8Array | undefined;

  async append(bytes: Uint8Array): Promise<void> {
    if (this.#head === undefined) this.#head = bytes;
    else this.#gathered.add(bytes);
  }

  async rewriteHead(bytes: Uint8Array): Promise<void> {
    this.#head = bytes;
  }

  taken(room: number): Uint8Array {
    const head = this.#head ?? new Uint8Array(0);
    const whole = this.#gathered.taken(room + head.length);
    whole.set(head, room);
    return whole;
  }
}
