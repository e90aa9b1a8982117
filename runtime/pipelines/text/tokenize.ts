// Texts to token ids: each request is parted into groups of texts of about one length, so that little is filled up and an
// answer does not depend on what else the request asks for.
import { now, settle } from '../../clock.js';
import type { Step, StepMaker, StepRequest, Tensors } from '../step.js';
import type { TokenizeOptions } from './kinds.js';
import { orderOf } from './reorder.js';
import { invalid, Texts } from './texts.js';
import { Tokenizer } from './tokenizer.js';

/** After so long others in this thread get their turn. */
const turnMs = 5;

export const tokenize: StepMaker<TokenizeOptions> = {
  async open(options, place): Promise<Step> {
    const tokenizer = await Tokenizer.open(place.folder, options.tokensMax);
    return { apply: (tensors, request) => pieces(tokenizer, options, tensors, request) };
  },
};

interface Member {
  readonly index: number;
  readonly ids: readonly number[];
}

async function* pieces(
  tokenizer: Tokenizer,
  options: TokenizeOptions,
  tensors: Tensors,
  request: StepRequest,
): AsyncGenerator<Tensors> {
  const given = tensors.find((tensor) => tensor.name === options.input);
  if (given === undefined) throw invalid(`input "${options.input}" is missing`);
  const texts = new Texts(given, options.textsMax);
  const order = orderOf(request);
  const groups = new Map<number, Member[]>();
  const filled = (group: readonly Member[], length: number): Tensors => {
    order.push(group.map((text) => text.index));
    return tensorsOf(options, group, length);
  };
  let turnEndsAt = now() + turnMs;
  for (let index = 0; index < texts.count; index++) {
    const { text, isCut } = texts.read(index, options.charactersMax);
    const tokens = tokenizer.encode(text);
    if ((isCut || tokens.isCut) && options.tooLong === 'refuse') {
      throw invalid(
        `text ${index} of input "${options.input}" has more than the ${options.tokensMax} tokens that the model reads`,
      );
    }
    const { ids } = tokens;
    const length = options.lengths.find((own) => own >= ids.length) ?? ids.length;
    const group = groups.get(length) ?? [];
    group.push({ index, ids });
    groups.set(length, group);
    if (group.length === options.rowsMax) {
      groups.delete(length);
      yield filled(group, length);
    }
    if (now() < turnEndsAt) continue;
    await new Promise<void>((resolve) => settle(resolve));
    request.check();
    turnEndsAt = now() + turnMs;
  }
  for (const { length, group } of gathered(groups, options)) yield filled(group, length);
}

interface Group {
  readonly length: number;
  readonly group: readonly Member[];
}

/** The longest first: it takes the longest. A shorter group goes with it where that fills up less than a run costs. */
function* gathered(
  groups: ReadonlyMap<number, readonly Member[]>,
  { rowsMax, joinTokens }: Pick<TokenizeOptions, 'rowsMax' | 'joinTokens'>,
): Generator<Group> {
  let open: Group | undefined;
  for (const [length, group] of [...groups].sort(([a], [b]) => b - a)) {
    const fits =
      open !== undefined &&
      open.group.length + group.length <= rowsMax &&
      group.length * (open.length - length) <= joinTokens;
    if (open !== undefined && !fits) yield open;
    open = open !== undefined && fits ? { ...open, group: [...open.group, ...group] } : { length, group };
  }
  if (open !== undefined) yield open;
}

function tensorsOf(options: TokenizeOptions, group: readonly Member[], length: number): Tensors {
  const shape = [group.length, length];
  const ids = new BigInt64Array(group.length * length);
  const mask = new BigInt64Array(group.length * length);
  for (const [row, text] of group.entries()) {
    for (const [at, id] of text.ids.entries()) ids[row * length + at] = BigInt(id);
    mask.fill(1n, row * length, row * length + text.ids.length);
  }
  const tensor = (name: string, values: BigInt64Array) =>
    ({ name, datatype: 'INT64', shape, data: new Uint8Array(values.buffer) }) as const;
  const both = [tensor(options.ids, ids), tensor(options.mask, mask)];
  return options.kinds === undefined ? both : [...both, tensor(options.kinds, new BigInt64Array(ids.length))];
}
