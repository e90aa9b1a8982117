// Which room may import what, and the rule that one production file alone knows an outside library.
import { posix } from 'node:path';
import { type Finding, isCode, isProduction, lineAt, roomOf, type Source, stripped } from './source.js';

export interface Import {
  readonly source: Source;
  readonly line: number;
  /** As written. */
  readonly from: string;
  /** The file inside the project, for a relative import. */
  readonly target: string;
  /** The package, for an import from outside. */
  readonly library: string;
}

const importing = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(['"])([^'"\n]+)\1/g;
const allowedRooms: Readonly<Record<string, readonly string[]>> = {
  proto: ['proto'],
  actors: ['proto', 'actors'],
  cluster: ['proto', 'cluster'],
  runtime: ['proto', 'actors', 'cluster', 'runtime'],
};
const publicEntry = /^runtime\/client\//;
const chartLibrary = 'xstate';
const chartFile = 'actors/chart.ts';

export function importsOf(source: Source): Import[] {
  const code = stripped(source.text, true);
  return [...code.matchAll(importing)].map((match) => {
    const from = match[2] ?? '';
    const relative = from.startsWith('.');
    const target = relative ? posix.join(posix.dirname(source.path), from) : '';
    const builtin = relative || from.startsWith('node:') || from.startsWith('#');
    const library = builtin ? '' : from.split('/', from.startsWith('@') ? 2 : 1).join('/');
    return { source, line: lineAt(code, match.index), from, target, library };
  });
}

function finding(item: Import, says: string): Finding {
  return { path: item.source.path, line: item.line, says };
}

/** proto knows nobody, actors and cluster know proto, runtime knows all three; examples know the public API only. */
export function importsAcrossRooms(sources: readonly Source[]): Finding[] {
  return sources
    .filter(isCode)
    .flatMap(importsOf)
    .flatMap((item) => {
      const room = roomOf(item.source.path);
      const other = roomOf(item.target);
      if (
        room === 'examples' &&
        item.target !== '' &&
        other !== 'examples' &&
        !publicEntry.test(item.target)
      ) {
        return [finding(item, `examples use the public API only, not ${item.from}`)];
      }
      const allowed = allowedRooms[room];
      if (allowed === undefined || item.target === '' || allowed.includes(other)) return [];
      return [finding(item, `${room} must not import ${item.from}: it may import ${allowed.join(', ')}`)];
    });
}

/** The decisions touch nothing of the world: no library but the charts', and that through one file; nothing of Node. */
export function importsIntoActors(sources: readonly Source[]): Finding[] {
  return sources
    .filter((source) => isCode(source) && roomOf(source.path) === 'actors')
    .flatMap(importsOf)
    .filter((item) => item.target === '')
    .filter((item) => item.library !== chartLibrary || item.source.path !== chartFile)
    .map((item) =>
      finding(item, `actors import proto and, through ${chartFile}, ${chartLibrary}; not ${item.from}`),
    );
}

export function libraryFiles(sources: readonly Source[]): Map<string, Import[]> {
  const files = new Map<string, Import[]>();
  for (const item of sources.filter(isProduction).flatMap(importsOf)) {
    if (item.library === '') continue;
    const known = files.get(item.library) ?? [];
    if (!known.some((other) => other.source.path === item.source.path))
      files.set(item.library, [...known, item]);
  }
  return files;
}

export function librariesKnownTwice(sources: readonly Source[]): Finding[] {
  return [...libraryFiles(sources)].flatMap(([library, [first, ...others]]) =>
    others.map((item) =>
      finding(item, `${library} is already known by ${first?.source.path}: go through that file`),
    ),
  );
}

/** Every library is declared, and every declared one is used. */
export function librariesDeclared(sources: readonly Source[]): Finding[] {
  const path = 'package.json';
  const manifest = JSON.parse(sources.find((source) => source.path === path)?.text ?? '{}') as {
    dependencies?: Record<string, string>;
  };
  const declared = Object.keys(manifest.dependencies ?? {});
  const used = libraryFiles(sources);
  const missing = [...used].filter(([library]) => !declared.includes(library));
  return [
    ...missing.flatMap(([library, items]) =>
      items.map((item) => finding(item, `${library} is not in ${path}`)),
    ),
    ...declared
      .filter((library) => !used.has(library))
      .map((library) => ({ path, line: 1, says: `${library}: no production file imports it` })),
  ];
}
