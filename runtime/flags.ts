// Reads the arguments of a command such as `jobs` or `models check`: its words and its flags, with a sentence for wrong use.
import { ConfigError } from './config/load.js';
import { nearest } from './nearest.js';

export interface GivenArguments {
  readonly words: readonly string[];
  readonly flags: ReadonlyMap<string, string>;
}

/** `known` are flags with the values that they take; empty for none. `-h` is `--help`, and after `--` all are words. */
export function readArguments(
  command: string,
  known: Readonly<Record<string, string>>,
  args: readonly string[],
): GivenArguments {
  const flags = new Map<string, string>();
  const words: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const argument = args[at] as string;
    if (argument === '--') {
      words.push(...args.slice(at + 1));
      break;
    }
    if (!argument.startsWith('-')) {
      words.push(argument);
      continue;
    }
    const equals = argument.indexOf('=');
    const flag = argument === '-h' ? '--help' : equals < 0 ? argument : argument.slice(0, equals);
    const takes = Object.hasOwn(known, flag) ? known[flag] : undefined;
    if (takes === undefined) throw unknownFlag(command, flag, Object.keys(known));
    if (flags.has(flag)) throw new ConfigError(`${flag} is given twice`);
    if (takes === '' && equals >= 0) throw new ConfigError(`${flag} takes no value`);
    const value = takes === '' ? '' : equals < 0 ? args[++at] : argument.slice(equals + 1);
    if (value === undefined || (takes !== '' && value === ''))
      throw new ConfigError(`${flag} needs a value: ${flag} ${takes}`);
    flags.set(flag, value);
  }
  return { words, flags };
}

/** The address of a REST door that a flag names, without slashes at its end. */
export function readAddress(flag: string, given: string): string {
  if (!/^https?:$/.test(URL.canParse(given) ? new URL(given).protocol : '')) {
    throw new ConfigError(`${flag} is ${JSON.stringify(given)}; allowed is such as http://127.0.0.1:8000`);
  }
  return given.replace(/\/+$/, '');
}

function unknownFlag(command: string, flag: string, known: readonly string[]): ConfigError {
  const near = nearest(flag, known);
  const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`;
  return new ConfigError(`argument ${flag} of ${command} is not known; ${hint}`);
}
