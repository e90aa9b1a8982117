// The tables that are promises: numbered messages, errors, and what the README lists of them.
import { type Finding, isProduction, type Source } from './source.js';

export interface NumberedMessage {
  readonly number: number;
  readonly type: string;
}

const messageName = /^[a-z]+(?:[A-Z][a-z]+)*\.[a-z]+(?:[A-Z][a-z]+)*$/;
const messagesFile = 'proto/messages.ts';
const errorsFile = 'proto/errors.ts';
const numberMax = 0xffff;

/** Numbers are never used twice, not even after the message is gone; names are `noun.verb` or `noun.pastVerb`. */
export function messageNumbers(
  messages: Readonly<Record<string, NumberedMessage>>,
  retired: readonly number[],
): Finding[] {
  const findings: string[] = [];
  const numbers = new Map<number, string>();
  const names = new Set<string>();
  for (const [key, { number, type }] of Object.entries(messages)) {
    const other = numbers.get(number);
    if (other !== undefined) findings.push(`${type} and ${other} both have number ${number}`);
    if (retired.includes(number)) findings.push(`${type} uses the retired number ${number}`);
    if (!Number.isInteger(number) || number < 1 || number > numberMax) {
      findings.push(`${type}: ${number} is not a whole number from 1 to ${numberMax}`);
    }
    if (names.has(type)) findings.push(`two messages are called ${type}`);
    if (!messageName.test(type)) findings.push(`${type} is neither noun.verb nor noun.pastVerb`);
    const [noun = '', verb = ''] = type.split('.');
    if (key !== noun + verb.charAt(0).toUpperCase() + verb.slice(1)) {
      findings.push(`${type} is listed as ${key}`);
    }
    numbers.set(number, type);
    names.add(type);
  }
  if (new Set(retired).size !== retired.length) findings.push('a number is retired twice');
  return findings.map((says) => ({ path: messagesFile, line: 1, says }));
}

/** An error that no production file can raise is a promise that nobody keeps. */
export function errorsRaised(codes: readonly string[], sources: readonly Source[]): Finding[] {
  const files = sources.filter((source) => isProduction(source) && source.path !== errorsFile);
  return codes
    .filter((code) => !files.some(({ text }) => new RegExp(`['"\`.]${code}\\b`).test(text)))
    .map((code) => ({ path: errorsFile, line: 1, says: `${code} is raised nowhere` }));
}

/** The rows of the tables under a heading: the first cell without its backticks, and the row. */
export function tableUnder(markdown: string, heading: RegExp): Map<string, string> {
  const rows = new Map<string, string>();
  let depth = 0;
  for (const line of markdown.split('\n')) {
    const title = /^(#+)\s+(.*)$/.exec(line);
    if (title !== null) {
      const level = title[1]?.length ?? 0;
      if (depth === 0 || level <= depth) depth = heading.test(title[2] ?? '') ? level : 0;
      continue;
    }
    const cell = depth > 0 ? /^\|\s*`([^`]+)`\s*\|/.exec(line)?.[1] : undefined;
    if (cell !== undefined) rows.set(cell, line);
  }
  return rows;
}

/** The README's table under a heading and the code's table have the same rows, each with the words it must tell. */
export function listedInReadme(
  readme: string,
  heading: RegExp,
  expected: ReadonlyMap<string, readonly string[]>,
): Finding[] {
  const rows = tableUnder(readme, heading);
  const says: string[] = [];
  for (const [key, words] of expected) {
    const row = rows.get(key);
    if (row === undefined) says.push(`${key} is not in the table under ${heading.source}`);
    else
      says.push(
        ...words.filter((word) => !row.includes(word)).map((word) => `${key}: its row lacks ${word}`),
      );
  }
  for (const key of rows.keys()) {
    if (!expected.has(key)) says.push(`${key} is in the table under ${heading.source}, but not in the code`);
  }
  return says.map((sentence) => ({ path: 'README.md', line: 1, says: sentence }));
}
