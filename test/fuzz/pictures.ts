// Mutated pictures through the image pipeline of a node: each gets a picture back or a clear refusal, and the node lives.
import { setTimeout as pause } from 'node:timers/promises';
import { pictureBases } from './bases.js';
import { mutated } from './mutation.js';
import type { FuzzScene } from './scene.js';
import { Tally } from './tally.js';

const inFlight = 4;
/** One that says it is 65,000 pixels high takes its time, and the machine has others too. */
const timeoutUs = 60_000_000;

/** Until the time is up; the cases count from `seed`. */
export async function fuzzPictures(scene: FuzzScene, seed: number, until: number): Promise<Tally> {
  const tally = new Tally('pictures');
  const bases = await pictureBases();
  const underWay = new Map<number, Buffer>();
  let next = seed;
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      const number = next++;
      const bytes = mutated(bases, number);
      underWay.set(number, bytes);
      await tryOne(scene, tally, number, bytes, underWay);
      underWay.delete(number);
      tally.cases++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  return tally;
}

async function tryOne(
  scene: FuzzScene,
  tally: Tally,
  number: number,
  bytes: Buffer,
  underWay: ReadonlyMap<number, Buffer>,
): Promise<void> {
  const node = await scene.node();
  try {
    const url = `http://127.0.0.1:${node.httpPort}/v2/models/larger/infer?timeout=${timeoutUs}`;
    const headers = { 'content-type': 'image/*', accept: 'image/png' };
    const answer = await fetch(url, { method: 'POST', headers, body: Uint8Array.from(bytes) });
    const content = Buffer.from(await answer.arrayBuffer());
    if (answer.status === 200 && content.readUInt32BE(0) === 0x89504e47) tally.right++;
    else if (answer.status >= 400 && answer.status < 500) tally.refuse(wordOf(content));
    else tally.wrong.push(`${number}: ${answer.status} ${content.subarray(0, 300).toString('latin1')}`);
  } catch (fault) {
    const ended = await Promise.race([node.ended, pause(5000)]);
    if (ended === undefined) {
      tally.wrong.push(`${number}: ${(fault as Error).message}`);
      return;
    }
    const files = [...underWay].map(([other, content]) => scene.keep(`picture-${other}`, content));
    tally.crashes.push(`the node ended by ${ended.signal ?? ended.code}; one of ${files.join(', ')}`);
  }
}

/** The sentence without what differs from case to case. */
function wordOf(content: Buffer): string {
  const { error = '' } = JSON.parse(content.toString()) as { error?: string };
  return error
    .replace(/^model "larger": /, '')
    .replace(/\d[\d,.]*/g, 'N')
    .slice(0, 60);
}
