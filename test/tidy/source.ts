// The text that the tidy rules look at: the project's files, and their code with comments and strings blanked out, so
// that a word in a comment is never taken for code. TypeScript 7 offers no parser to ask instead.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Source {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly says: string;
}

const skippedFolders = new Set(['node_modules', 'dist', '.git', '.cache']);
const readable =
  /\.(ts|mjs|js|json|jsonc|md|proto|yaml|yml|html|css|svg|py|sh|txt)$|(^|\/)(LICENSE|run|\.[a-z]+)$/;

export function readSources(root: string, folder = ''): Source[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return skippedFolders.has(entry.name) ? [] : readSources(root, path);
    return entry.isFile() && readable.test(path)
      ? [{ path, text: readFileSync(join(root, path), 'utf8') }]
      : [];
  });
}

const regularExpressionMayFollow =
  /(^|[(,=:[!&|?{};+*%~^<>-]|\b(return|typeof|case|of|in|yield|await|=>))\s*$/;

/** The end (exclusive) of the quoted string that starts at `start`. */
function endOfString(text: string, start: number): number {
  const quote = text[start];
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === quote || text[at] === '\n') return at + 1;
  }
  return text.length;
}

function endOfRegularExpression(text: string, start: number): number {
  let inClass = false;
  for (let at = start + 1; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === '\\') at += 1;
    else if (sign === '\n') return start + 1;
    else if (sign === '[') inClass = true;
    else if (sign === ']') inClass = false;
    else if (sign === '/' && !inClass) return at + 1;
  }
  return start + 1;
}

/** The end of a template's piece of plain text: after its closing backtick, or after `${`. */
function endOfTemplatePiece(text: string, start: number): number {
  for (let at = start; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '`') return at + 1;
    else if (text[at] === '$' && text[at + 1] === '{') return at + 2;
  }
  return text.length;
}

function blank(piece: string): string {
  return piece.replace(/[^\n]/g, ' ');
}

/** Same length and lines as `text`, with comments (and, unless `keepStrings`, what stands in strings) made blank. */
export function stripped(text: string, keepStrings = false): string {
  let out = '';
  let at = 0;
  // One entry per open template expression: how many braces are open inside it.
  const templates: number[] = [];
  const template = (from: number): void => {
    const end = endOfTemplatePiece(text, from);
    const opens = text[end - 1] === '{';
    // The signs of an expression would stand without their partners: a comma parts it from what is before.
    out += keepStrings ? text.slice(at, end) : `${blank(text.slice(at, end - 1))}${opens ? ',' : '`'}`;
    if (opens) templates.push(0);
    at = end;
  };
  while (at < text.length) {
    const sign = text[at] ?? '';
    const pair = text.slice(at, at + 2);
    if (pair === '//' || pair === '/*') {
      const found = pair === '//' ? text.indexOf('\n', at) : text.indexOf('*/', at + 2) + 2;
      const end = found <= 1 ? text.length : found;
      out += blank(text.slice(at, end));
      at = end;
    } else if (sign === "'" || sign === '"') {
      const end = endOfString(text, at);
      out += keepStrings ? text.slice(at, end) : sign + blank(text.slice(at + 1, end - 1)) + sign;
      at = end;
    } else if (sign === '`') {
      template(at + 1);
    } else if (sign === '}' && templates.at(-1) === 0) {
      templates.pop();
      template(at + 1);
    } else if (sign === '/' && regularExpressionMayFollow.test(out.slice(-40))) {
      const end = endOfRegularExpression(text, at);
      out += blank(text.slice(at, end)).replace(/ $/, '0');
      at = end;
    } else {
      const depth = templates.at(-1);
      if (depth !== undefined && sign === '{') templates[templates.length - 1] = depth + 1;
      if (depth !== undefined && sign === '}') templates[templates.length - 1] = depth - 1;
      out += sign;
      at += 1;
    }
  }
  return out;
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/** Every place where the code (no comment, no string) of a file matches. */
export function findInCode(source: Source, pattern: RegExp, says: string): Finding[] {
  const code = stripped(source.text);
  return [...code.matchAll(pattern)].map((match) => ({
    path: source.path,
    line: lineAt(code, match.index),
    says: says.replace('%', match[0].trim()),
  }));
}

export function isCode(source: Source): boolean {
  return source.path.endsWith('.ts');
}

export const productionRooms = ['proto', 'actors', 'cluster', 'runtime'] as const;

export function roomOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : '';
}

export function isProduction(source: Source): boolean {
  return isCode(source) && (productionRooms as readonly string[]).includes(roomOf(source.path));
}

/** The line of a bracket without its partner, or 0. A file that compiles has none: then the blanking went wrong. */
export function unmatchedBracket(code: string): number {
  const partners: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };
  const open: { sign: string; at: number }[] = [];
  for (let at = 0; at < code.length; at += 1) {
    const sign = code[at] ?? '';
    if ('([{'.includes(sign)) open.push({ sign, at });
    else if (partners[sign] !== undefined && open.pop()?.sign !== partners[sign]) return lineAt(code, at);
  }
  return open[0] === undefined ? 0 : lineAt(code, open[0].at);
}
