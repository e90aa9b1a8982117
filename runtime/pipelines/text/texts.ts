// The texts of a request, read from its BYTES tensor: a sentence for what is no text, and no more of a long one than counts.
import { isUtf8 } from 'node:buffer';
import { bytesElementOffsets, elementCount, type Tensor } from '../../../proto/tensor.js';
import { StepError } from '../step.js';

const lengthBytes = 4;
const bytesPerCharacterMax = 4;

export interface Text {
  readonly text: string;
  /** There is more of it. */
  readonly isCut: boolean;
}

export class Texts {
  readonly count: number;
  private readonly tensor: Tensor;
  private readonly offsets: readonly number[];

  constructor(tensor: Tensor, textsMax: number) {
    const count = elementCount(tensor.shape);
    if (count < 1 || count > textsMax) {
      throw invalid(`input "${tensor.name}" has ${count} texts, wanted are 1 to ${textsMax}`);
    }
    const offsets = bytesElementOffsets(tensor.data, count);
    if (typeof offsets === 'string') {
      throw invalid(
        `input "${tensor.name}" is no list of BYTES elements (each a 4-byte little-endian length, then its bytes): ${offsets}`,
      );
    }
    this.count = count;
    this.tensor = tensor;
    this.offsets = offsets;
  }

  /** Counted from 0. */
  read(index: number, charactersMax: number): Text {
    const bytes = this.tensor.data.subarray(
      (this.offsets[index] as number) + lengthBytes,
      this.offsets[index + 1] as number,
    );
    if (!isUtf8(bytes)) {
      throw invalid(
        `text ${index} of input "${this.tensor.name}" is not UTF-8: it breaks off at byte ${validBytes(bytes)}`,
      );
    }
    // One more than wanted tells that there is more.
    const text = decoded(bytes.subarray(0, (charactersMax + 1) * bytesPerCharacterMax));
    return { text: text.slice(0, charactersMax), isCut: text.length > charactersMax };
  }
}

export function invalid(message: string): StepError {
  return new StepError('INPUT_INVALID', message);
}

/** What is left of a character at the end is left out; a mark at the beginning is a character like others. */
function decoded(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
}

/** How many bytes at the beginning are good. */
function validBytes(bytes: Uint8Array): number {
  let [good, bad] = [0, bytes.length + 1];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (begins(bytes.subarray(0, middle))) good = middle;
    else bad = middle;
  }
  return good;
}

function begins(bytes: Uint8Array): boolean {
  try {
    decoded(bytes);
    return true;
  } catch {
    return false;
  }
}
