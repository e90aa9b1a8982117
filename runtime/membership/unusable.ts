// The sentence for a NATS that can't be used, for nodes and for commands: where, why, and what to look at.

const settingsAdvice =
  'Is it running there, with JetStream, and are --nats and the other --nats-... settings right?';
const forbidden = /these credentials may not /;
/** Whoever finds no bucket makes it; in the sample of rights that is for schedulers and for who pushes. */
const noBucket = /\$JS\.API\.STREAM\.CREATE\./;
const bucketAdvice =
  'What nodes keep there is not there yet, and these credentials may not make it: a scheduler does, so start one first.';
const rightsAdvice =
  'Are they those for what is done here, and are their rights for this --cluster? examples/cluster/nats/permissions.conf has what each role may do.';

/** `tried`: how often, where that was more than once. */
export function unusableNats(where: string, reason: string, tried = ''): string {
  return `NATS can't be used at ${where}${tried}: ${reason}. ${adviceFor(reason) || settingsAdvice}`;
}

/** What to do about rights that are missing; empty where it is something else. */
export function adviceFor(reason: string): string {
  if (!forbidden.test(reason)) return '';
  return noBucket.test(reason) ? bucketAdvice : rightsAdvice;
}
