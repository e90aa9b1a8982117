// Animations and folders of frames on the command line: as many frames come out as went in, in their order, shown as long and
// as often; what is late is left out, and the animation lasts as long as before.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import sharp, { type Sharp } from 'sharp';
import { inferText } from '../../runtime/infer/command.js';
import { painted } from '../pipelines/images.js';
import { apart, RunningNode, Scratch } from './harness.js';
import { infer } from './infer.js';
import { ModelFolder } from './repository.js';

const pixels = (name: string): string => `[{ name: ${name}, datatype: FP32, shape: [1, 1, -1, -1] }]`;
/** A frame whose first pixel is as red as can be takes longer than it may. */
const steps = `
export const dawdle = async ([image], request) => {
  if (image.data[0] === 255) await new Promise((resolve) => setTimeout(resolve, request.leftMs() + 1000));
  return [image];
};
`;
const [width, height] = [60, 40];
const delays = [50, 60, 70, 80, 90];
const clearFrame = 3;
const deadlineMs = 3000;

/** Each frame has a red of its own; one of them has a hole. */
function animation(reds: readonly number[]): Sharp {
  const data = Buffer.alloc(width * height * 4 * reds.length, 255);
  for (let at = 0; at < data.length; at += 4) {
    const pixel = at / 4;
    const frame = Math.floor(pixel / (width * height));
    const column = pixel % width;
    const row = Math.floor(pixel / width) % height;
    data[at] = reds[frame] as number;
    data[at + 1] = 60;
    data[at + 2] = 60;
    if (frame === clearFrame && Math.abs(column - 30) < 10 && Math.abs(row - 20) < 10) data[at + 3] = 0;
  }
  return sharp(data, { raw: { width, height: height * reds.length, channels: 4, pageHeight: height } });
}

interface Shown {
  readonly size: readonly number[];
  readonly delays: readonly number[];
  readonly loop: number;
  /** Of the middle of each frame. */
  readonly reds: readonly number[];
  readonly alphas: readonly number[];
}

async function shown(file: string): Promise<Shown> {
  const image = sharp(readFileSync(file), { animated: true });
  const { pages = 1, delay = [], loop = -1 } = await image.metadata();
  const { data, info } = await image.ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const rows = info.height / pages;
  const middles = Array.from(
    { length: pages },
    (_, page) => ((page * rows + rows / 2) * info.width + info.width / 2) * 4,
  );
  const at = (offset: number) => middles.map((middle) => data[middle + offset] as number);
  return { size: [info.width, rows], delays: delay, loop, reds: at(0), alphas: at(3) };
}

describe('frames on the command line', () => {
  const scratch = new Scratch();
  let node: RunningNode;
  const reds = [10, 50, 90, 130, 170];
  const gif = scratch.path('in.gif');
  before(async () => {
    const models = new ModelFolder(scratch)
      .config('mirror', ['backend: echo', `inputs: ${pixels('input')}`, `outputs: ${pixels('output')}`])
      .config('larger', [
        'runs: mirror',
        "before: [image.decode, './steps.mjs#dawdle', image.enlarge]",
        'after: [image.recolour, image.encode]',
      ])
      .file('larger/steps.mjs', steps);
    writeFileSync(gif, await animation(reds).gif({ delay: delays, loop: 3 }).toBuffer());
    node = await new RunningNode({
      flags: { ...apart(scratch, models.folder), 'default-model': 'mirror' },
    }).ready();
  });
  after(async () => {
    await node.dispose();
    scratch.remove();
  });

  const enlarge = (image: string, out: string, ...more: string[]) =>
    infer('larger', '--url', `http://127.0.0.1:${node.httpPort}`, '--image', image, '--out', out, ...more);

  for (const format of ['gif', 'webp'] as const) {
    test(`an animation becomes a larger one as ${format}: the same frames, delays and repeats`, async () => {
      const out = scratch.path(`out.${format}`);
      const { said, complained } = await enlarge(gif, out);
      assert.equal(complained, '');
      assert.match(said, /^\S+: 5 frames, [\d.]+ fps, \d+ ms a frame \(median; \d+ ms at most\)\n$/);
      const answer = await shown(out);
      assert.deepEqual(answer.size, [width * 2, height * 2]);
      assert.deepEqual(answer.delays, delays);
      assert.equal(answer.loop, 3);
      assert.deepEqual(answer.alphas, [255, 255, 255, 0, 255]);
      for (const [at, red] of reds.entries()) {
        const is = answer.reds[at] as number;
        assert.ok(at === clearFrame || Math.abs(is - red) <= 6, `frame ${at + 1}: ${is}, wanted is ${red}`);
      }
    });
  }

  test('one image of it, and what can not be, are told', async () => {
    const out = scratch.path('first.png');
    assert.match((await enlarge(gif, out)).said, /first of 5 frames; --out FILE\.gif or \.webp takes all/);
    const empty = scratch.path('empty');
    mkdirSync(empty);
    const wrong = (image: string, to: string, deadline: string[], why: RegExp) =>
      assert.rejects(inferText(['larger', '--image', image, '--out', to, ...deadline], {}), why);
    const within = (text: string): string[] => ['--frame-deadline-ms', text];
    await wrong(gif, out, within('50'), /--frame-deadline-ms is for frames: an animation to \.gif or/);
    await wrong(gif, 'no.gif', within('0'), /--frame-deadline-ms is 0; allowed is a whole number from 1/);
    await wrong(empty, out, [], /--out is ".*first\.png"; a folder of frames goes to a folder/);
    await wrong(
      gif,
      gif,
      [],
      /--out is ".*in\.gif": the file that is given as --image would be written over/,
    );
    await wrong(empty, `${empty}/../empty`, [], /the folder that is given as --image would be written over/);
    symlinkSync(gif, scratch.path('linked.gif'));
    await wrong(gif, scratch.path('linked.gif'), [], /that is given as --image would be written over/);
    await wrong(gif, scratch.path('none/x.gif'), [], /--out is ".*x\.gif", but there is no folder .*none$/);
    await wrong(empty, gif, [], /a folder of frames goes to a folder/);
    await wrong('/dev/zero', out, [], /the image \/dev\/zero can't be read: it is neither a file nor a pipe/);
    await wrong(empty, 'none', [], /the folder .* has no images; wanted are files such as 1\.png/);
  });

  test('a folder is taken in the order of its numbers; what is late is left out and named', async () => {
    const [from, to] = [scratch.path('frames'), scratch.path('larger')];
    mkdirSync(from);
    writeFileSync(`${from}/notes.txt`, 'no image');
    for (const number of [1, 2, 3, 10]) {
      const late = { create: { width: 30, height: 20, channels: 3 as const, background: '#ff0000' } };
      const image = number === 3 ? sharp(late) : painted(30 + number, 20);
      writeFileSync(`${from}/frame${number}.png`, await image.png().toBuffer());
    }
    const { said, complained } = await enlarge(from, to, '--frame-deadline-ms', String(deadlineMs));
    assert.equal(complained, '');
    assert.match(said, /^\S+: 3 frames, .*; left out as later than 3000 ms: 1 \(frame3\.png\)\n$/);
    assert.deepEqual(readdirSync(to).sort(), ['frame1.png', 'frame10.png', 'frame2.png']);
    for (const number of [1, 2, 10])
      assert.equal((await sharp(readFileSync(`${to}/frame${number}.png`)).metadata()).width, 60 + 2 * number);
  });

  test('two frames that would be written to one file are told, and the first stays', async () => {
    const [from, to] = [scratch.path('twice'), scratch.path('twice-out')];
    mkdirSync(from);
    for (const name of ['1.jpg', '1.png'])
      writeFileSync(`${from}/${name}`, await painted(8, 8).png().toBuffer());
    const { code, complained } = await enlarge(from, to);
    assert.match(
      `${code} ${complained}`,
      /^1 signalbox: frame 1\.png would be written as 1\.png, as 1\.jpg was: .*; 1 frame is written to \S+twice-out$/m,
    );
    assert.deepEqual(readdirSync(to), ['1.png']);
  });

  test('an animation without its late frames lasts as long as before', async () => {
    const late = scratch.path('late.gif');
    writeFileSync(late, await animation([255, 50, 90, 130, 170]).gif({ delay: delays }).toBuffer());
    const out = scratch.path('late.webp');
    const { said } = await enlarge(late, out, '--frame-deadline-ms', String(deadlineMs));
    assert.match(said, /^\S+: 4 frames, .*: 1 \(1\)\n$/);
    assert.deepEqual((await shown(out)).delays, [110, 70, 80, 90]);
  });

  test('what is wrong with a frame ends it, names it and leaves no half file', async () => {
    const from = scratch.path('broken');
    mkdirSync(from);
    writeFileSync(`${from}/1.png`, await painted(8, 8).png().toBuffer());
    writeFileSync(`${from}/2.png`, 'no image');
    const { code, complained } = await enlarge(from, scratch.path('broken-out'));
    assert.match(
      `${code} ${complained}`,
      /^1 signalbox: frame 2\.png: .*does not begin like an image.*; 1 frame is written to .*broken-out$/m,
    );
    const none = await enlarge(gif, scratch.path('none.gif'), '--frame-deadline-ms', '1');
    assert.match(none.complained, /not one of 5 frames came within 1 ms; nothing is written/);
    assert.ok(!readdirSync(scratch.folder).some((name) => name.startsWith('none.gif')));
  });
});
