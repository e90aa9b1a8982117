// A number as people read it in a sentence: no more than one decimal.
export function figure(value: number): string {
  return String(Math.round(value * 10) / 10);
}
