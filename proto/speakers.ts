// Who may say what. A message from a member without the role for it changes nothing, wherever it comes from.
import type { Role } from './ids.js';
import type { MessageType } from './messages.js';

const speakers: Readonly<Record<MessageType, Role | 'anybody'>> = {
  'link.refused': 'anybody',
  'member.announced': 'anybody',
  'members.listed': 'anybody',
  'member.left': 'anybody',
  'member.proved': 'anybody',
  'peer.beat': 'anybody',
  'peer.judged': 'health',
  'worker.exited': 'host',
  'worker.register': 'worker',
  'worker.registered': 'scheduler',
  'worker.fenced': 'scheduler',
  'worker.leaving': 'worker',
  'worker.confined': 'worker',
  'worker.reported': 'worker',
  'share.changed': 'worker',
  'model.reported': 'scheduler',
  'model.described': 'worker',
  'share.dismissed': 'scheduler',
  'share.wake': 'scheduler',
  'costs.measured': 'worker',
  'job.enqueue': 'router',
  'job.withdraw': 'router',
  'job.refused': 'scheduler',
  'owners.listed': 'scheduler',
  'batch.assign': 'scheduler',
  'batch.declined': 'router',
  'batch.lost': 'scheduler',
  'batch.run': 'router',
  'batch.recall': 'router',
  'batch.prepared': 'worker',
  'batch.go': 'router',
  'batch.started': 'worker',
  'batch.finished': 'worker',
  'batch.released': 'worker',
  'node.order': 'router',
  'node.answered': 'anybody',
  'node.reported': 'anybody',
  'drain.claim': 'router',
  'drain.noted': 'router',
  'soles.ask': 'router',
  'soles.told': 'scheduler',
};

export function maySay(roles: readonly Role[], type: MessageType): boolean {
  const speaker = speakers[type];
  return speaker === 'anybody' || roles.includes(speaker);
}
