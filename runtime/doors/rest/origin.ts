// Whether a web page of somewhere else asks: a browser on the machine sends what such a page wants also to loopback, and it
// is not to change what runs here.
import { SignalboxError } from '../../../proto/errors.js';
import { quote } from '../sentence.js';
import type { Exchange } from './exchange.js';

/** What a browser says of who asks where that is no other page: the person, or a page that came from here. */
const ownSites = ['none', 'same-origin'];

export function refuseForeignPage(exchange: Exchange): void {
  const origin = exchange.header('origin');
  const site = exchange.header('sec-fetch-site');
  const isOwn = origin === undefined || hostOf(origin) === exchange.header('host');
  if (isOwn && (site === undefined || ownSites.includes(site))) return;
  throw new SignalboxError(
    'ORIGIN_FOREIGN',
    `a web page of ${quote(origin ?? 'another site')} may not ask this: send it from a program, without Origin`,
  );
}

function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).host : '';
}
