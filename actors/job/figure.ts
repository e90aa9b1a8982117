// A number as people read it in a sentence: one decimal at most, and of what is below one the first two digits that count.
export function figure(value: number): string {
  return String(Math.abs(value) < 1 ? Number(value.toPrecision(2)) : Math.round(value * 10) / 10);
}
