// Where the world may be touched: one file reads the clock and chance, one folder the environment, two files print.
import { type Finding, findInCode, isCode, isProduction, roomOf, type Source } from './source.js';

const clockFile = 'runtime/clock.ts';
const configFolder = 'runtime/config/';
const printingFiles = ['runtime/log.ts', 'runtime/print.ts'];

const readsClock =
  /\bDate\.now\b|\bnew Date\s*\(\s*\)|(?<!\bnew\s+|[.\w$])Date\s*\(|\bperformance\.(?:now|timeOrigin)\b|\bprocess\.(?:hrtime|uptime)\b/g;
const waits =
  /(?:(?<![.\w$])|\bglobalThis\.|\bwindow\.)set(?:Timeout|Interval|Immediate)\b(?!\s*:)|\bAbortSignal\.timeout\b/g;
const chance = /\bMath\.random\b/g;
const anyChance = /\b(?:randomUUID|randomBytes|randomInt|randomFillSync|getRandomValues)\b/g;
const timersModule = /\bfrom\s*'(?:node:)?timers(?:\/promises)?'/;
const environment = /\bprocess\s*(?:\?\.|\.)\s*env\b|\bprocess\s*\[/g;
const environmentImport = /\bimport\s*\{[^}]*\benv\b[^}]*\}\s*from\s*'(?:node:)?process'/;
const prints = /(?<![.\w$])console\s*(?:\.|\[)|\bprocess\.(?:stdout|stderr)\b/g;

function isSimulated(source: Source): boolean {
  return isCode(source) && source.path.startsWith('test/simulation/');
}

/** All time and chance come through the one injected clock, else a simulated run could not be repeated. */
export function clockAndChance(sources: readonly Source[]): Finding[] {
  const says = `% outside ${clockFile}: take the injected clock`;
  return sources
    .filter((source) => (isProduction(source) || isSimulated(source)) && source.path !== clockFile)
    .flatMap((source) => {
      const pure = isSimulated(source) || ['actors', 'proto'].includes(roomOf(source.path));
      return [
        ...findInCode(source, readsClock, says),
        ...findInCode(source, waits, says),
        ...findInCode(source, chance, says),
        ...(pure ? findInCode(source, anyChance, '% where nothing may depend on chance') : []),
        ...inText(source, timersModule, `timers are imported outside ${clockFile}`),
      ];
    });
}

export function environmentOutsideConfig(sources: readonly Source[]): Finding[] {
  const says = `the environment is read outside ${configFolder}`;
  return sources
    .filter((source) => isProduction(source) && !source.path.startsWith(configFolder))
    .flatMap((source) => [
      ...findInCode(source, environment, says),
      ...inText(source, environmentImport, says),
    ]);
}

export function printingOutsideLog(sources: readonly Source[]): Finding[] {
  return sources
    .filter((source) => isProduction(source) && !printingFiles.includes(source.path))
    .flatMap((source) => findInCode(source, prints, `% outside ${printingFiles.join(' and ')}`));
}

function inText(source: Source, pattern: RegExp, says: string): Finding[] {
  const at = source.text.search(pattern);
  return at < 0 ? [] : [{ path: source.path, line: source.text.slice(0, at).split('\n').length, says }];
}
