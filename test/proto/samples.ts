// One good message of every type, for tests that go over all of them. The compiler sees to it that none is missing.
import type { Message, MessageType, Said } from '../../proto/messages.js';

const samples: { readonly [T in MessageType]: Omit<Said<T>, 'type'> } = {
  'link.refused': { reason: 'it speaks protocol version 2, this node speaks 1' },
  'member.announced': {
    cluster: 'local',
    member: ['worker-1.k3f9x2', ['worker'], 'ipc:///run/signalbox/worker-1', ''],
    build: '0.1.0',
  },
  'members.listed': {
    revision: 7,
    members: [
      ['node-1.aaaaaa', ['router', 'scheduler', 'health', 'host'], 'tcp://127.0.0.1:9000', ''],
      ['worker-1.k3f9x2', ['worker'], '', 'gone for good'],
    ],
  },
  'member.left': { member: 'worker-1.k3f9x2', reason: 'drained' },
  'peer.beat': { sequence: 70_000, intervalMs: 25 },
  'peer.judged': { member: 'worker-1.k3f9x2', verdict: 'suspect', reason: 'silent for 120 ms (phi 3.1)' },
  'worker.exited': { worker: 'worker-1.k3f9x2', cause: 'crashed', detail: 'SIGSEGV' },
  'worker.register': { name: 'worker-1', device: 'cpu', inlineCredits: 8, threadCredits: 2 },
  'worker.registered': { epoch: 3 },
  'worker.fenced': { epoch: 2, reason: 'this epoch is over: register again' },
  'worker.leaving': { epoch: 3 },
  'worker.reported': { epoch: 3, held: [1, 65_536, 4_294_967_296] },
  'share.changed': {
    epoch: 3,
    model: 'digits',
    version: '1',
    state: 'ready',
    place: 'inline',
    rowsMax: 32,
    runMs: 0.25,
    reason: '',
  },
  'model.reported': { model: 'digits', version: '1', ready: 2, failed: 1, reason: 'not an ONNX file' },
  'job.enqueue': {
    job: 41,
    attempt: 1,
    model: 'digits',
    version: '1',
    shapeKey: 'input:FP32[64]>',
    rows: 1,
    bytes: 256,
    priority: 0,
    budgetMs: 199.5,
    company: 'any',
    avoid: '',
  },
  'job.withdraw': { job: 41, attempt: 2 },
  'job.refused': { job: 41, attempt: 1, code: 'QUEUE_FULL', reason: 'full', retryAfterMs: 100 },
  'batch.assign': {
    batch: 9,
    worker: 'worker-1.k3f9x2',
    epoch: 3,
    solo: false,
    jobs: [41, 42],
    attempts: [1, 2],
  },
  'batch.declined': { batch: 9 },
  'batch.lost': { batch: 9, worker: 'worker-1.k3f9x2', epoch: 3, jobs: [41, 42], attempts: [1, 2] },
  'batch.run': {
    scheduler: 'node-1.aaaaaa',
    batch: 9,
    epoch: 3,
    model: 'digits',
    version: '1',
    solo: false,
    jobs: [41, 42],
    attempts: [1, 2],
    rows: [1, 3],
    budgetsMs: [12.25, 80],
    inputs: [['input', 'FP32', [4, 64]]],
    split: false,
    outputs: ['scores', 'digit'],
  },
  'batch.recall': { scheduler: 'node-1.aaaaaa', batch: 9, jobs: [42] },
  'batch.prepared': { scheduler: 'node-1.aaaaaa', batch: 9, epoch: 3, jobs: [41], attempts: [2] },
  'batch.go': { scheduler: 'node-1.aaaaaa', batch: 9 },
  'batch.started': { batch: 9, epoch: 3, jobs: [41, 42], attempts: [1, 2] },
  'batch.finished': {
    batch: 9,
    epoch: 3,
    jobs: [41, 42, 43],
    attempts: [1, 2, 1],
    rows: [1, 3, 1],
    codes: ['', '', 'CANCELLED'],
    reason: '',
    outputs: [
      ['scores', 'FP32', [4, 10]],
      ['word', 'BYTES', [4, 1]],
    ],
    sizes: [[], [11, 40]],
    inputMs: 0.1,
    computeMs: 1.5,
    outputMs: 0,
  },
  'batch.released': { batch: 9, epoch: 3, rows: 4, computeMs: 1.5 },
};

export const sampleMessages: readonly Message[] = Object.entries(samples).map(
  ([type, fields]) => ({ type, ...fields }) as Message,
);

export function sample<T extends MessageType>(type: T): Said<T> {
  return sampleMessages.find((message): message is Said<T> => message.type === type) as Said<T>;
}
