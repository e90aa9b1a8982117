// What one delivery says: its envelopes decoded, each with the tensor frames that are its own. A delivery is taken whole
// or not at all.
import { decodeMessage, type Envelope } from '../../proto/codec.js';
import { envelopesOfAnyVersion, splitEnvelopes } from '../../proto/frame.js';

/** Why something was dropped. All that is counted, is counted under one of these. */
export const dropReasons = [
  'rubbish',
  'version',
  'undecodable',
  'frameCount',
  'unannounced',
  'announcedAgain',
  'refused',
  'oversized',
  'unsent',
] as const;

export type DropReason = (typeof dropReasons)[number];

export interface MailFault {
  readonly drop: DropReason;
  readonly reason: string;
}

/** The envelopes of a delivery in their order. Their frames follow each other from the second frame on. */
export function readMail(frames: readonly Uint8Array[]): Envelope[] | MailFault {
  const parts = splitEnvelopes(frames[0] as Uint8Array);
  if (!Array.isArray(parts)) return { drop: parts.kind, reason: parts.reason };
  const envelopes: Envelope[] = [];
  let announced = 1;
  for (const part of parts) {
    const envelope = decodeMessage(part);
    if (typeof envelope === 'string') return { drop: 'undecodable', reason: envelope };
    announced += envelope.frames;
    envelopes.push(envelope);
  }
  if (announced === frames.length) return envelopes;
  const reason = `its envelopes announce ${announced - 1} tensor frames, ${frames.length - 1} came with them`;
  return { drop: 'frameCount', reason };
}

/** The reason in a refusal from a peer of whatever version; nothing when the delivery is no refusal. */
export function readRefusal(frames: readonly Uint8Array[]): string | undefined {
  const parts = envelopesOfAnyVersion(frames[0] as Uint8Array);
  const part = Array.isArray(parts) ? parts[0] : undefined;
  const envelope = part === undefined ? undefined : decodeMessage(part);
  if (typeof envelope !== 'object' || envelope.message.type !== 'link.refused') return undefined;
  return envelope.message.reason;
}
