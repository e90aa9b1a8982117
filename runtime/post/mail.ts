// What one delivery says: its envelopes decoded, each with the tensor frames that are its own. A delivery is taken whole
// or not at all.
import { decodeMessage, type Envelope } from '../../proto/codec.js';
import { envelopesOfAnyVersion, splitFrame } from '../../proto/frame.js';

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

export interface Mail {
  readonly envelopes: readonly Envelope[];
  /** Those of all envelopes, one after the other. */
  readonly tensors: readonly Uint8Array[];
}

/** What a delivery says. */
export function readMail(frames: readonly Uint8Array[]): Mail | MailFault {
  const parts = splitFrame(frames[0] as Uint8Array);
  if ('reason' in parts) return { drop: parts.kind, reason: parts.reason };
  const envelopes: Envelope[] = [];
  let announced = 0;
  for (const part of parts.envelopes) {
    const envelope = decodeMessage(part);
    if (typeof envelope === 'string') return { drop: 'undecodable', reason: envelope };
    announced += envelope.frames;
    envelopes.push(envelope);
  }
  const own = frames.slice(1);
  const tensors = parts.tensors.length === 0 ? own : gather(parts.tensors, own);
  if (announced === tensors?.length) return { envelopes, tensors };
  const came = tensors?.length ?? 'others';
  return {
    drop: 'frameCount',
    reason: `its envelopes announce ${announced} tensor frames, ${came} came with them`,
  };
}

/** Tensors inside the first frame and those in frames of their own, in their order; nothing when they don't add up. */
function gather(
  inside: readonly (Uint8Array | undefined)[],
  own: readonly Uint8Array[],
): Uint8Array[] | undefined {
  let next = 0;
  const tensors = inside.map((tensor) => tensor ?? own[next++]);
  return next === own.length ? (tensors as Uint8Array[]) : undefined;
}

/** The reason in a refusal from a peer of whatever version; nothing when the delivery is no refusal. */
export function readRefusal(frames: readonly Uint8Array[]): string | undefined {
  const parts = envelopesOfAnyVersion(frames[0] as Uint8Array);
  const part = 'reason' in parts ? undefined : parts[0];
  const envelope = part === undefined ? undefined : decodeMessage(part);
  if (typeof envelope !== 'object' || envelope.message.type !== 'link.refused') return undefined;
  return envelope.message.reason;
}
