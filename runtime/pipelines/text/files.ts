// The files beside a text model from which its tokenizer is made, looked at without the library that reads them: what is
// cut off, garbled or not a tokenizer is told when the model is loaded, not by its first request.
import { join } from 'node:path';
import { readTextFile } from '../../file.js';

export const tokenizerFile = 'tokenizer.json';
export const tokenizerConfigFile = 'tokenizer_config.json';
export const tokenizerBytesMax = 256 << 20;

const kinds = ['WordPiece', 'BPE', 'Unigram'] as const;

/** A sentence for each file that no tokenizer can be made of, which begins with its path. */
export function tokenizerFaults(folder: string): readonly string[] {
  const main = join(folder, tokenizerFile);
  const beside = join(folder, tokenizerConfigFile);
  const content = jsonIn(main);
  const fault = typeof content === 'string' ? content : modelFault(content);
  const other = jsonIn(beside);
  return [
    ...(fault === undefined ? [] : [`${main} ${fault}`]),
    ...(typeof other === 'string' ? [`${beside} ${other}`] : []),
  ];
}

type Content = Readonly<Record<string, unknown>>;

function jsonIn(path: string): Content | string {
  let text: string;
  try {
    text = readTextFile(path, tokenizerBytesMax);
  } catch (fault) {
    const { code, message } = fault as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'is missing, which the step tokenize reads' : `can't be read: ${message}`;
  }
  try {
    const content: unknown = JSON.parse(text);
    return isObject(content) ? content : 'is not a JSON object';
  } catch (fault) {
    return `is not JSON: ${(fault as Error).message}`;
  }
}

function modelFault({ model, added_tokens: added = [] }: Content): string | undefined {
  if (!isObject(model)) return 'has no model, so it is no tokenizer';
  const { type, vocab } = model;
  if (typeof type === 'string' && !kinds.includes(type as (typeof kinds)[number]))
    return `has a model of type ${JSON.stringify(type)}; known are ${kinds.join(', ')}`;
  const fault = vocabFault(vocab, type === 'Unigram') ?? addedFault(added);
  if (fault !== undefined) return fault;
  const { unk_token: unknown, merges } = model;
  if (type === 'WordPiece' && !Object.hasOwn(vocab as object, String(unknown)))
    return `has an unk_token ${JSON.stringify(unknown)} that is not in its vocab`;
  if (type === 'BPE' && !Array.isArray(merges)) return 'has no list of merges in its model';
  return undefined;
}

function vocabFault(vocab: unknown, isUnigram: boolean): string | undefined {
  if (isUnigram) {
    if (!Array.isArray(vocab) || vocab.length === 0) return 'has no vocab in its model';
    const bad = vocab.findIndex((entry) => !Array.isArray(entry) || typeof entry[1] !== 'number');
    return bad < 0 ? undefined : `has a vocab whose entry ${bad} is no token with its score`;
  }
  if (!isObject(vocab)) return 'has no vocab in its model';
  let count = 0;
  for (const token in vocab) {
    count++;
    if (!isId(vocab[token]))
      return `gives the token ${JSON.stringify(token)} the id ${JSON.stringify(vocab[token])}`;
  }
  return count === 0 ? 'has an empty vocab' : undefined;
}

function addedFault(added: unknown): string | undefined {
  if (!Array.isArray(added)) return 'has added_tokens that are no list';
  const bad = added.find(
    (token) => !isObject(token) || typeof token['content'] !== 'string' || !isId(token['id']),
  );
  return bad === undefined ? undefined : `has an added token without content or id: ${JSON.stringify(bad)}`;
}

function isId(id: unknown): boolean {
  return Number.isSafeInteger(id) && (id as number) >= 0;
}

function isObject(value: unknown): value is Content {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
