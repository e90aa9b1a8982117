// Puts the configuration of a node together: flags over environment over file over defaults. What nobody knows, or what
// is not allowed, ends the start with a sentence that says where it stands.
import { readFileSync } from 'node:fs';
import { nearest } from '../nearest.js';
import { parseYaml } from '../yaml.js';
import { type Config, environmentOf, flagOf, type SettingName, settingNames, settings } from './schema.js';
import type { Setting } from './setting.js';

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

type Given = Map<SettingName, { readonly value: unknown; readonly where: string }>;

export interface Asked {
  readonly config: Config;
  readonly help: boolean;
  readonly version: boolean;
}

export function loadConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Asked {
  const flags = readFlags(args);
  const file = flags.file ?? environment.SIGNALBOX_CONFIG;
  const layers = [file === undefined ? new Map() : readFile(file), readEnvironment(environment), flags.given];
  const values: Record<string, unknown> = {};
  for (const name of settingNames) {
    values[name] = settings[name].fallback;
    for (const layer of layers as Given[]) {
      const given = layer.get(name);
      if (given !== undefined) values[name] = settled(name, given.value, given.where);
    }
  }
  return { config: values as unknown as Config, help: flags.help, version: flags.version };
}

function settled(name: SettingName, given: unknown, where: string): unknown {
  const setting: Setting<unknown> = settings[name];
  const value = setting.read(given);
  if (value !== undefined) return value;
  throw new ConfigError(`${where} is ${shown(given)}; allowed is ${setting.allowed}`);
}

function readFlags(args: readonly string[]): {
  given: Given;
  file: string | undefined;
  help: boolean;
  version: boolean;
} {
  const given: Given = new Map();
  const byFlag = new Map<string, SettingName>(settingNames.map((name) => [flagOf(name), name]));
  let file: string | undefined;
  let help = false;
  let version = false;
  for (let at = 0; at < args.length; at++) {
    const [flag, attached] = splitFlag(args[at] as string);
    const name = byFlag.get(flag);
    const isFlagSetting = name !== undefined && typeof settings[name].fallback === 'boolean';
    const next = args[at + 1];
    const value = attached ?? (isFlagSetting && next !== 'true' && next !== 'false' ? '' : next);
    if (flag === '--help' || flag === '-h') help = true;
    else if (flag === '--version') version = true;
    else if (name === undefined && flag !== '--config')
      throw unknown(`argument ${flag}`, flag, [
        ...byFlag.keys(),
        '--config',
        '--help',
        '--version',
        'jobs',
        'models',
        'cluster',
        'keys',
      ]);
    else if (value === undefined) throw new ConfigError(`${flag} needs a value: ${flag} <value>`);
    else {
      if (attached === undefined && value === next) at++;
      if (name === undefined) file = value;
      else if (given.has(name)) throw new ConfigError(`${flag} is given twice`);
      else given.set(name, { value, where: flag });
    }
  }
  return { given, file, help, version };
}

function splitFlag(arg: string): [string, string | undefined] {
  const equals = arg.indexOf('=');
  return arg.startsWith('--') && equals > 0
    ? [arg.slice(0, equals), arg.slice(equals + 1)]
    : [arg, undefined];
}

function readEnvironment(environment: Readonly<Record<string, string | undefined>>): Given {
  const given: Given = new Map();
  const byName = new Map<string, SettingName>(settingNames.map((name) => [environmentOf(name), name]));
  for (const [key, value] of Object.entries(environment)) {
    if (!key.startsWith('SIGNALBOX_') || key === 'SIGNALBOX_CONFIG' || value === undefined) continue;
    const name = byName.get(key);
    if (name === undefined) throw unknown(`environment variable ${key}`, key, [...byName.keys()]);
    given.set(name, { value, where: `environment variable ${key}` });
  }
  return given;
}

function readFile(path: string): Given {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (fault) {
    throw new ConfigError(`the configuration file ${path} can't be read: ${(fault as Error).message}`);
  }
  const parsed = parseYaml(content);
  if (!parsed.ok) throw new ConfigError(`the configuration file ${path} is not YAML: ${parsed.reason}`);
  const given: Given = new Map();
  if (parsed.value === null || parsed.value === undefined) return given;
  if (typeof parsed.value !== 'object' || Array.isArray(parsed.value)) {
    throw new ConfigError(
      `the configuration file ${path} holds ${shown(parsed.value)}; wanted are keys and values`,
    );
  }
  for (const [key, value] of Object.entries(parsed.value)) {
    if (!Object.hasOwn(settings, key)) throw unknown(`${path}: key ${key}`, key, settingNames);
    given.set(key as SettingName, { value, where: `${path}: key ${key}` });
  }
  return given;
}

function unknown(what: string, given: string, known: readonly string[]): ConfigError {
  const near = nearest(given, known);
  return new ConfigError(`${what} is not known${near === undefined ? '' : `; did you mean ${near}?`}`);
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
