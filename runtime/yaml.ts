// YAML to plain values, with the place of a mistake. The only file that knows the parser.
import { parseDocument } from 'yaml';

export type Parsed =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

export function parseYaml(content: string): Parsed {
  try {
    const document = parseDocument(content, { prettyErrors: true, uniqueKeys: true });
    const fault = document.errors[0];
    if (fault !== undefined) {
      const line = fault.linePos?.[0].line;
      const said = (fault.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
      return { ok: false, reason: `${line === undefined ? '' : `line ${line}: `}${said}` };
    }
    return { ok: true, value: document.toJS({ maxAliasCount: 100 }) };
  } catch (fault) {
    return { ok: false, reason: (fault as Error).message };
  }
}
