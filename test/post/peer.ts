// A peer in a process of its own, for tests that kill it: `peer.js dial|bind ENDPOINT ID echo|part [SECRET]`. It says hello on
// each link that it dials; `echo` sends back what it gets, `part` sends a last word and exits at once.
import type { LinkId, Transport, TransportEvents } from '../../runtime/post/transport.js';
import { zeromqTransport } from '../../runtime/post/zeromq.js';
import { ringWith } from './siblings.js';

/** What is sent leaves at once, unless this machine is busy: then it may take its time. */
const lingerMs = 5000;

const [direction, endpoint = '', id = '', habit, secret = ''] = process.argv.slice(2);
let transport: Transport | undefined;
const events: TransportEvents = {
  opened(link: LinkId): void {
    if (direction === 'dial') transport?.send(link, [Buffer.from('hello')]);
  },
  received(link, frames): void {
    transport?.send(link, frames);
    if (habit === 'part') void part(link);
  },
  lost(): void {},
};
transport = zeromqTransport({ keys: secret === '' ? undefined : ringWith([], secret) })(id, events);
if (direction === 'dial') transport.dial(endpoint);
else await transport.bind(endpoint);
process.on('disconnect', () => process.exit(0));
process.send?.('up');

async function part(link: LinkId): Promise<void> {
  for (let word = 0; word < 100; word++) transport?.send(link, [Buffer.from(`word ${word}`)]);
  await transport?.close(lingerMs);
  process.exit(0);
}
