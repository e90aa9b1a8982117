// The shape of a file: what it opens with, how long it is, and how long its functions are.
import { type Finding, isCode, isProduction, lineAt, type Source, stripped } from './source.js';

export const fileLinesMax = 400;
export const medianLinesMax = 120;
export const functionLinesMax = 70;
const headerWordsMin = 5;

const opened = /\.(ts|mjs|js|proto)$/;
/** What holds tests is a container, like a class: its members are measured, not it. */
const holdsTests = /^[ \t]+(?:test|it)(?:\.\w+)?\s*\(/m;
const notFunctions = new Set([
  'if',
  'for',
  'while',
  'switch',
  'catch',
  'with',
  'return',
  'await',
  'typeof',
  'new',
]);
const named =
  /\bfunction\b\s*\*?\s*[\w$]*\s*(?:<[^(){}]*>)?\s*\(|^[ \t]*(?:(?:public|private|protected|static|async|override|get|set)\s+)*\*?[#\w$]+\s*(?:<[^(){}\n]*>)?\(/gm;
const arrow = /=>\s*\{/g;

/** The comment that a file opens with, without its signs; empty when it opens with something else. */
function headerOf(text: string): string {
  const body = text.replace(/^#!.*\n/, '');
  const block = /^\/\*\*?([\s\S]*?)\*\//.exec(body)?.[1];
  const lines = /^(?:\/\/.*\n)+/.exec(`${body}\n`)?.[0];
  return (block ?? lines ?? '').replace(/^\s*(\/\/|\*)/gm, '').trim();
}

/** Every file says first what it is and why it is there. */
export function headers(sources: readonly Source[]): Finding[] {
  return sources
    .filter((source) => opened.test(source.path))
    .flatMap((source) => {
      const header = headerOf(source.text);
      if (header.split(/\s+/).length >= headerWordsMin && /[.!?]["')`]?$/.test(header)) return [];
      return [{ path: source.path, line: 1, says: 'open the file with a sentence: what it is, and why' }];
    });
}

function linesOf(source: Source): number {
  return source.text.replace(/\n$/, '').split('\n').length;
}

export function fileLengths(sources: readonly Source[]): Finding[] {
  return sources
    .filter((source) => opened.test(source.path) && linesOf(source) > fileLinesMax)
    .map((source) => ({
      path: source.path,
      line: fileLinesMax,
      says: `${linesOf(source)} lines; at most ${fileLinesMax}`,
    }));
}

export function medianLines(sources: readonly Source[]): number {
  const lengths = sources
    .filter(isProduction)
    .map(linesOf)
    .sort((one, other) => one - other);
  return lengths[Math.floor(lengths.length / 2)] ?? 0;
}

export function medianLength(sources: readonly Source[]): Finding[] {
  const median = medianLines(sources);
  if (median <= medianLinesMax) return [];
  return [{ path: '.', line: 1, says: `the median file has ${median} lines; aim at ${medianLinesMax}` }];
}

/** The index after the bracket that closes the one at `open`, or -1. */
function afterClosing(code: string, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at += 1) {
    if ('([{'.includes(code[at] ?? '')) depth += 1;
    else if (')]}'.includes(code[at] ?? '')) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}

/** The index of the brace that opens a function's body, when `after` stands behind its parameters; else -1. */
function bodyAfter(code: string, after: number): number {
  const next = /\S/g;
  next.lastIndex = after;
  const first = next.exec(code);
  if (first?.[0] === '{') return first.index;
  if (first?.[0] !== ':') return -1;
  let wantsType = true;
  for (let at = first.index + 1; at < code.length; at += 1) {
    const sign = code[at] ?? '';
    if (sign === ';' || sign === '}' || sign === ')' || sign === ',') return -1;
    if (sign === '=' && code[at + 1] !== '>') return -1;
    if (sign === '{' && !wantsType) return at;
    if ('{(['.includes(sign)) at = Math.max(at, afterClosing(code, at) - 1);
    if (/\S/.test(sign)) wantsType = '|&:<,'.includes(sign) || (sign === '>' && code[at - 1] === '=');
  }
  return -1;
}

interface Extent {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

function bodies(code: string): Extent[] {
  const found: Extent[] = [];
  const add = (name: string, start: number, open: number): void => {
    const end = open < 0 ? -1 : afterClosing(code, open);
    if (end < 0 || holdsTests.test(code.slice(open, end))) return;
    found.push({ name, from: lineAt(code, start), to: lineAt(code, end - 1) });
  };
  for (const match of code.matchAll(named)) {
    const head = match[0];
    const name = /([#\w$]*)\s*(?:<[^(]*>)?\s*\($/.exec(head)?.[1] ?? '';
    if (notFunctions.has(name)) continue;
    const parameters = match.index + head.length - 1;
    const start = match.index + head.length - head.trimStart().length;
    add(name, start, bodyAfter(code, afterClosing(code, parameters)));
  }
  for (const match of code.matchAll(arrow)) {
    add('an arrow function', match.index, match.index + match[0].length - 1);
  }
  return found;
}

export function functionLengths(sources: readonly Source[]): Finding[] {
  return sources
    .filter((source) => isCode(source) || source.path.endsWith('.mjs'))
    .flatMap((source) =>
      bodies(stripped(source.text))
        .filter(({ from, to }) => to - from + 1 > functionLinesMax)
        .map(({ name, from, to }) => ({
          path: source.path,
          line: from,
          says: `${name} has ${to - from + 1} lines; at most ${functionLinesMax}`,
        })),
    );
}
