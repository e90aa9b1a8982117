// Whether the numbers of an answer are finite: one pass that adds or masks instead of branching, and only where that
// finds something a second one that tells where.
import { elementCount, type Tensor } from '../../proto/tensor.js';
import { viewElements } from './elements.js';

/** Of a 16-bit number the bits that are all set in NaN and infinity, and what carries them into the sign's place. */
const halves = {
  FP16: { exponent: 0x7c00, carry: 0x0400 },
  BF16: { exponent: 0x7f80, carry: 0x0080 },
} as const;

/** The first of the outputs' numbers that is NaN or infinite, in a sentence; nothing when there is none. */
export function findNotFinite(outputs: readonly Tensor[], rows: number | undefined): string | undefined {
  for (const output of outputs) {
    const numbers = ownOf(output, rows);
    const at = areFinite(numbers) ? -1 : firstNotFinite(numbers);
    if (at < 0) continue;
    const row = rows === undefined ? '' : ` (row ${Math.floor(at / elementCount(output.shape.slice(1)))})`;
    const what = Number.isNaN(valueAt(numbers, at)) ? 'NaN' : 'infinite';
    return `output ${output.name} is ${what} at element ${at}${row}, and the model's configuration says finite: true`;
  }
  return undefined;
}

/** Rows that only fill the batch up are nobody's: what is computed of them may be anything. */
function ownOf(output: Tensor, rows: number | undefined): Tensor {
  const given = output.shape[0] ?? 1;
  if (rows === undefined || rows >= given) return output;
  return { ...output, data: output.data.subarray(0, (output.data.byteLength / given) * rows) };
}

function areFinite({ datatype, data }: Tensor): boolean {
  switch (datatype) {
    case 'FP32':
    case 'FP64':
      return isSumFinite(viewElements(datatype, data) as Float32Array | Float64Array);
    case 'FP16':
    case 'BF16': {
      const { exponent, carry } = halves[datatype];
      const whole = data.byteLength & ~3;
      const pairs = viewElements('INT32', data.subarray(0, whole)) as Int32Array;
      const rest = viewElements('UINT16', data.subarray(whole)) as Uint16Array;
      const isRestFinite = rest.every((bits) => (bits & exponent) !== exponent);
      return isRestFinite && arePairsFinite(pairs, exponent * 0x10001, carry * 0x10001);
    }
    default:
      return true;
  }
}

/** Zero times a finite number is zero, times any other NaN; four sums at once keep the processor busy. */
function isSumFinite(numbers: Float32Array | Float64Array): boolean {
  let [first, second, third, fourth] = [0, 0, 0, 0];
  const whole = numbers.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    first += (numbers[at] as number) * 0;
    second += (numbers[at + 1] as number) * 0;
    third += (numbers[at + 2] as number) * 0;
    fourth += (numbers[at + 3] as number) * 0;
  }
  for (let at = whole; at < numbers.length; at++) first += (numbers[at] as number) * 0;
  return first + second + third + fourth === 0;
}

function arePairsFinite(pairs: Int32Array, exponents: number, carries: number): boolean {
  let carried = 0;
  for (let at = 0; at < pairs.length; at++) carried |= ((pairs[at] as number) & exponents) + carries;
  return (carried & 0x80008000) === 0;
}

function firstNotFinite(output: Tensor): number {
  const size = viewElements(output.datatype, output.data).length;
  for (let at = 0; at < size; at++) if (!Number.isFinite(valueAt(output, at))) return at;
  return -1;
}

function valueAt({ datatype, data }: Tensor, at: number): number {
  const elements = viewElements(datatype, data);
  if (datatype !== 'FP16' && datatype !== 'BF16') return Number(elements[at]);
  const { exponent, carry } = halves[datatype];
  const bits = Number(elements[at]);
  if ((bits & exponent) !== exponent) return 0;
  return (bits & (carry - 1)) === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
}
