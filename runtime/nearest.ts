// A guess at which word was meant by one that nobody knows.

/** The known word that is few edits away, if there is one. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const editsMax = Math.max(1, Math.min(3, Math.floor(given.length / 3)));
  let best: string | undefined;
  let bestEdits = editsMax + 1;
  for (const word of known) {
    if (Math.abs(word.length - given.length) >= bestEdits) continue;
    const count = edits(word.toLowerCase(), given.toLowerCase());
    if (count < bestEdits) [best, bestEdits] = [word, count];
  }
  return best;
}

function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
