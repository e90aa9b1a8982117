// Turns a text into the ids of its tokens, as the model's own tokenizer.json says; the only file that knows the library.
// However long the text is, only as much of it is read as the ids that are wanted need.
import { join } from 'node:path';
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { readTextFile } from '../../file.js';
import { tokenizerBytesMax, tokenizerConfigFile, tokenizerFile } from './files.js';

/** What is used of the library, whose own types are not readable from here. */
interface Encoder {
  encode(text: string, options?: { add_special_tokens?: boolean }): { readonly ids: readonly number[] };
}

export interface Tokens {
  readonly ids: readonly number[];
  /** There was more in the text than these ids say. */
  readonly isCut: boolean;
}

/** What is read at once, in UTF-16 units; a text is parted only where its tokens part in any case. */
const partLength = 2_000;
const parting = /[ \t\n\r]|[\u4e00-\u9fff](?=[\u4e00-\u9fff])/g;

const highIdeographs = /[\u{20000}-\u{2a6df}\u{2a700}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;
const capitalSigma = /\u03a3/g;

export class Tokenizer {
  private readonly library: Encoder;
  private readonly tokensMax: number;
  /** Special tokens before and after those of the text. */
  private readonly head: readonly number[];
  private readonly tail: readonly number[];
  private readonly parts: boolean;
  private readonly spacesIdeographs: boolean;
  private readonly lowers: boolean;

  private constructor(library: Encoder, content: TokenizerContent, tokensMax: number) {
    this.library = library;
    this.tokensMax = tokensMax;
    const isBert = content.normalizer?.type === 'BertNormalizer';
    this.parts = isBert && content.pre_tokenizer?.type === 'BertPreTokenizer';
    this.spacesIdeographs = isBert && content.normalizer?.handle_chinese_chars === true;
    this.lowers = isBert && content.normalizer?.lowercase === true;
    const [plain, whole] = [this.plainIds('a'), library.encode('a').ids];
    const at = whole.findIndex((_id, index) => plain.every((id, offset) => whole[index + offset] === id));
    if (at < 0) throw new Error('its special tokens are not around those of the text');
    this.head = whole.slice(0, at);
    this.tail = whole.slice(at + plain.length);
    if (this.head.length + this.tail.length >= tokensMax)
      throw new Error(
        `tokensMax is ${tokensMax}, and its special tokens alone are ${whole.length - plain.length}`,
      );
  }

  /** From the files in the folder; rejects with a sentence. */
  static async open(folder: string, tokensMax: number): Promise<Tokenizer> {
    const path = join(folder, tokenizerFile);
    const content = readJson(path);
    const config = readJson(join(folder, tokenizerConfigFile));
    try {
      return new Tokenizer(new Library(content, config) as Encoder, content as TokenizerContent, tokensMax);
    } catch (fault) {
      throw new Error(`${path}: ${fault instanceof Error ? fault.message : String(fault)}`);
    }
  }

  encode(text: string): Tokens {
    const room = this.tokensMax - this.head.length - this.tail.length;
    const ids: number[] = [];
    let at = 0;
    while (at < text.length && ids.length <= room) {
      const end = this.parts ? partEnd(text, at) : text.length;
      for (const id of this.plainIds(text.slice(at, end))) ids.push(id);
      at = end;
    }
    return { ids: [...this.head, ...ids.slice(0, room), ...this.tail], isCut: ids.length > room };
  }

  /** Where the library differs from the reference it is led: it takes ideographs beyond U+FFFF for letters of a word, and a
   * sigma that ends one becomes another letter than elsewhere. */
  private plainIds(text: string): readonly number[] {
    let led = text;
    if (this.spacesIdeographs) led = led.replace(highIdeographs, ' $& ');
    if (this.lowers) led = led.replace(capitalSigma, '\u03c3');
    return this.library.encode(led, { add_special_tokens: false }).ids;
  }
}

interface TokenizerContent {
  readonly normalizer?: { type?: string; handle_chinese_chars?: boolean; lowercase?: boolean } | null;
  readonly pre_tokenizer?: { type?: string } | null;
}

function partEnd(text: string, from: number): number {
  if (text.length - from <= partLength) return text.length;
  parting.lastIndex = from + partLength;
  const found = parting.exec(text);
  return found === null ? text.length : found.index + 1;
}

function readJson(path: string): object {
  const text = textIn(path);
  try {
    const content: unknown = JSON.parse(text);
    if (typeof content === 'object' && content !== null) return content;
  } catch (fault) {
    throw new Error(`${path} is not JSON: ${(fault as Error).message}`);
  }
  throw new Error(`${path} is not a JSON object`);
}

function textIn(path: string): string {
  try {
    return readTextFile(path, tokenizerBytesMax);
  } catch (fault) {
    const { code, message } = fault as NodeJS.ErrnoException;
    throw new Error(code === 'ENOENT' ? `${path} is missing` : `${path}: ${message}`);
  }
}
