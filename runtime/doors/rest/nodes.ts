// The cluster over REST: what a node sees of it, and orders to its nodes.

import { nodeActions } from '../cluster.js';
import { refusalOf } from '../door.js';
import { invalidInput } from '../request.js';
import { quote } from '../sentence.js';
import type { Exchange } from './exchange.js';
import type { Floor } from './infer.js';
import { withJson } from './json-body.js';
import { get, type Place } from './place.js';

export function findCluster(
  floor: Floor,
  exchange: Exchange,
  [node, order, ...more]: readonly string[],
): Place | undefined {
  if (node === undefined) return get(() => exchange.json(floor.engine.cluster()));
  const action = nodeActions.find((one) => one === order);
  if (action === undefined || more.length > 0) return undefined;
  const serve = (): void =>
    withJson(floor, exchange, (asked) => {
      const stranger = Object.keys(asked).find((key) => key !== 'force');
      if (stranger !== undefined)
        throw invalidInput(`the body has ${quote(stranger)}; all that it may have is "force"`);
      if (asked['force'] !== undefined && typeof asked['force'] !== 'boolean')
        throw invalidInput('"force" is true or false');
      floor.engine.orderNode(node, action, asked['force'] === true).then(
        (ordered) => exchange.json(ordered),
        (fault) => exchange.refuse(refusalOf(fault, floor.log)),
      );
    });
  return { method: 'POST', serve };
}
