// YAML to plain values, with the place of a mistake. The only file that knows the parser.
import { type Document, parseDocument, visit, type YAMLParseError } from 'yaml';

export type Parsed =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

export function parseYaml(content: string): Parsed {
  try {
    const document = parseDocument(content, { prettyErrors: true, uniqueKeys: true });
    const fault = document.errors[0];
    const reason = fault === undefined ? endless(document, content) : sentence(fault, content);
    if (reason !== undefined) return { ok: false, reason };
    return { ok: true, value: document.toJS({ maxAliasCount: 100 }) };
  } catch (fault) {
    return { ok: false, reason: plain((fault as Error).message) };
  }
}

function sentence({ code, message, pos, linePos }: YAMLParseError, content: string): string {
  const line = linePos === undefined ? '' : `line ${linePos[0].line}: `;
  if (code === 'DUPLICATE_KEY') return `${line}the key ${keyAt(content, pos[0])} is given twice`;
  return line + plain(message);
}

/** What of the parser's words is meant for whoever calls it, or tells of the parser rather than of the text. */
const plainWords: readonly (readonly [RegExp, string])[] = [
  [/^Source contains multiple documents/, 'it has several documents (--- or ... parts them); wanted is one'],
  [/^Maximum call stack size exceeded/, 'it is nested too deeply'],
  [
    /^Nested mappings are not allowed in compact mappings/,
    'a key stands where only a value can: it is indented too far, or a value with a colon in it needs quotes',
  ],
  [/^Excessive alias count/, 'its aliases (*) stand for too much: write it out'],
  [/^Unresolved alias .*: (\S+)$/, '*$1 refers to nothing: &$1 must stand before it'],
];

function plain(message: string): string {
  const said = (message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
  const [words, better] = plainWords.find(([pattern]) => pattern.test(said)) ?? [];
  return words === undefined || better === undefined
    ? said
    : said.replace(new RegExp(`${words.source}.*`), better);
}

function keyAt(content: string, from: number): string {
  return /^("[^"\n]*"|'[^'\n]*'|[^\s:,{}[\]]+)/.exec(content.slice(from))?.[0] ?? 'here';
}

/** A value that contains itself can't be written as a text, so nobody could be told of it. */
function endless(document: Document, content: string): string | undefined {
  let found: string | undefined;
  visit(document, {
    Alias(_, alias, path) {
      const target = alias.resolve(document);
      if (target === undefined || !path.includes(target)) return undefined;
      const line = content.slice(0, alias.range?.[0] ?? 0).split('\n').length;
      const { source } = alias;
      found = `line ${line}: *${source} stands within what it refers to (&${source}): that has no end; write it out`;
      return visit.BREAK;
    },
  });
  return found;
}
