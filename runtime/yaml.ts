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
    return { ok: false, reason: (fault as Error).message };
  }
}

function sentence({ code, message, pos, linePos }: YAMLParseError, content: string): string {
  const said =
    code === 'DUPLICATE_KEY'
      ? `the key ${keyAt(content, pos[0])} is given twice`
      : (message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
  return `${linePos === undefined ? '' : `line ${linePos[0].line}: `}${said}`;
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
