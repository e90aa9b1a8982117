// A request's body as a JSON object, which may be left out: for what is asked of the node itself, which pages of elsewhere
// may not.
import { refusalOf } from '../door.js';
import { readBody } from './body.js';
import type { Exchange } from './exchange.js';
import type { Floor } from './infer.js';
import { parseJson } from './infer-request.js';
import { refuseForeignPage } from './origin.js';

export function withJson(
  floor: Floor,
  exchange: Exchange,
  run: (asked: Readonly<Record<string, unknown>>) => void,
): void {
  refuseForeignPage(exchange);
  const refuseFault = (fault: unknown) => exchange.refuse(refusalOf(fault, floor.log));
  readBody(
    exchange.request,
    floor.options,
    (body) => {
      try {
        run(body.length === 0 ? {} : parseJson(body, body.length));
      } catch (fault) {
        refuseFault(fault);
      }
    },
    refuseFault,
  );
}
