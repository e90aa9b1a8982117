// How things are called: folders by noun and never by kind, names in full, numbers with their unit; and what may stand
// in the root.
import { type Finding, isCode, isProduction, lineAt, type Source, stripped } from './source.js';

const kinds =
  /^(utils?|types?|helpers?|commons?|libs?|misc|shared|core|base|tools?|support|stuff|interfaces?|constants?|functions?|managers?|services?|src)$/i;
const noun = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const dotFolder = /^\.[a-z]+$/;
/** Under the sample models the folders are model names and version numbers, as a model repository wants them. */
const modelFolder = /^examples\/models\/[^/]+\/\d+$/;
const fileName = /^[a-z0-9][a-z0-9]*([-_.][a-z0-9]+)*$/;

const shortened =
  /\b(?:const|let|var|function|class)\s+(cfg|ctx|msg|req|idx|tmp|mgr|evt|cb|opts|buf|arr|obj|impl|cnt|svc|srv|conn|addr|hdr|pkt|cnf|usr|pwd|fnc|elem|resp|dest|src)\b/g;

/** Unit or bound with which the name of a number ends. Phi is the unit of suspicion. */
const units =
  /(?:Us|Ms|Seconds|Bytes|Mb|Rows|Pixels|Percent|Ratio|Factor|PerSecond|Share|Phi|Max|Min|Count|Port)$/;
const numericKey = /^[ \t]+([a-zA-Z_$][\w$]*):\s*[\w$.]+\(\s*-?[\d.]/gm;
const numericValue = /^[ \t]+([a-zA-Z_$][\w$]*):\s*(?:z\.(?:coerce\.)?(?:number|int)\b|[\d(])/gm;
const configSchema = /^runtime\/config\/schema[^/]*\.ts$/;
const limitsFile = 'proto/limits.ts';

export const rootRequired = [
  ...[
    'package.json',
    'tsconfig.json',
    'README.md',
    'actors',
    'cluster',
    'examples',
    'proto',
    'runtime',
    'test',
  ],
  ...['package-lock.json', 'LICENSE'],
];
/** Made on this machine and never committed. */
const rootMade = ['node_modules', 'dist'];

export function rootEntries(entries: readonly string[]): Finding[] {
  const says = (path: string, sentence: string): Finding => ({ path, line: 1, says: sentence });
  const allowed = (entry: string): boolean =>
    rootRequired.includes(entry) ||
    rootMade.includes(entry) ||
    entry.startsWith('.') ||
    entry.endsWith('.log');
  return [
    ...entries.filter((entry) => !allowed(entry)).map((entry) => says(entry, 'does not belong in the root')),
    ...rootRequired
      .filter((name) => !entries.includes(name))
      .map((name) => says(name, 'is missing in the root')),
  ];
}

export function folderNames(sources: readonly Source[]): Finding[] {
  const folders = new Set<string>();
  for (const { path } of sources) {
    const parts = path.split('/').slice(0, -1);
    for (let length = 1; length <= parts.length; length += 1) folders.add(parts.slice(0, length).join('/'));
  }
  return [...folders].flatMap((path) => {
    const name = path.split('/').at(-1) ?? '';
    if (kinds.test(name)) return [{ path, line: 1, says: 'name the folder for the thing, not for its kind' }];
    const model = modelFolder.test(path) || /^examples\/models\/[^/]+$/.test(path);
    if (noun.test(name) || model || (dotFolder.test(name) && !path.includes('/'))) return [];
    return [{ path, line: 1, says: 'name the folder with a plain noun in lower case' }];
  });
}

export function fileNames(sources: readonly Source[]): Finding[] {
  return sources.filter(isCode).flatMap(({ path }) => {
    const name = path.split('/').at(-1) ?? '';
    const stem = name.replace(/(\.machine|\.table|\.test)?\.ts$/, '');
    if (kinds.test(stem)) return [{ path, line: 1, says: 'name the file for the thing, not for its kind' }];
    return fileName.test(name) ? [] : [{ path, line: 1, says: 'name the file in lower case' }];
  });
}

export function namesInFull(sources: readonly Source[]): Finding[] {
  return sources.filter(isProduction).flatMap(({ path, text }) => {
    const code = stripped(text);
    return [...code.matchAll(shortened)].map((match) => ({
      path,
      line: lineAt(code, match.index),
      says: `${match[1]}: write the name in full`,
    }));
  });
}

function unitless(source: Source, pattern: RegExp): Finding[] {
  const code = stripped(source.text);
  return [...code.matchAll(pattern)]
    .filter((match) => !units.test(match[1] ?? ''))
    .map((match) => ({
      path: source.path,
      line: lineAt(code, match.index + (match[0].length - match[0].trimStart().length)),
      says: `${match[1]}: end the name of a number with its unit or bound (deadlineMs, queueDepthMax)`,
    }));
}

/** Every number that an operator may set, and every bound of the protocol, says its unit. */
export function unitsInConfig(sources: readonly Source[]): Finding[] {
  return sources.flatMap((source) => {
    if (source.path === limitsFile) return unitless(source, numericValue);
    return configSchema.test(source.path)
      ? [...unitless(source, numericKey), ...unitless(source, numericValue)]
      : [];
  });
}

const separator = '/';
const machinePath = new RegExp(`(?<![\\w.~-])${separator}(?:root|work|home${separator}[a-z]+)${separator}`);
const registryHost = new RegExp(
  [
    ['registry', 'npmjs', 'org'],
    ['registry', 'yarnpkg', 'com'],
    ['pypi', 'org'],
    ['files', 'pythonhosted', 'org'],
    ['deb', 'debian', 'org'],
    ['proxy', 'golang', 'org'],
    ['index', 'crates', 'io'],
    ['repo1', 'maven', 'org'],
  ]
    .map((parts) => parts.join('\\.'))
    .join('|'),
);

/** Nothing in the project depends on one machine's folders or on one registry. */
export function placesOfOneMachine(sources: readonly Source[]): Finding[] {
  return sources.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      if (machinePath.test(line)) return [{ path, line: index + 1, says: 'names a folder of one machine' }];
      return registryHost.test(line) ? [{ path, line: index + 1, says: 'names a package registry' }] : [];
    }),
  );
}
