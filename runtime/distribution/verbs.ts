// What of `node runtime models` is about the store of a cluster, apart from the commands themselves: those bring NATS along.
export const depotVerbs = ['push', 'stored', 'remove', 'sweep'] as const;
export type DepotVerb = (typeof depotVerbs)[number];
