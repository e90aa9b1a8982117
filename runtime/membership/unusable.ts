// The sentence for a NATS that can't be used, for nodes and for commands: where, why, and what to look at.

/** `tried`: how often, where that was more than once. */
export function unusableNats(where: string, reason: string, tried = ''): string {
  return (
    `NATS can't be used at ${where}${tried}: ${reason}. ` +
    'Is it running there, with JetStream, and are --nats and the other --nats-... settings right?'
  );
}
