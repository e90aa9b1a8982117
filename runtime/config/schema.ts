// Every setting of a node, in the order in which people are told of them. Units stand in the names.
import { workerChoices } from '../../proto/batching.js';
import { devicePattern, deviceWanted, fallbacks } from '../executor/device.js';
import { choice, decimal, flag, type Setting, several, tags, text, type ValueOf, whole } from './setting.js';

export const askedRoles = ['all', 'router', 'scheduler', 'worker', 'health'] as const;

const oneDevice = devicePattern.source.slice(1, -1);
const deviceList = new RegExp(`^${oneDevice}(?:,${oneDevice}){0,63}$`);
const endpoint = /^(ipc:\/\/\/.+|tcp:\/\/.+:\d+)?$/;
const anyText = /^.{0,4000}$/s;
const oneServer = /(?:nats|tls):\/\/(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?/.source;
const servers = new RegExp(`^(?:${oneServer}(?:,${oneServer})*)?$`);
const nameText = /^[A-Za-z0-9_-]{1,40}$/;

export const settings = {
  role: several(
    'all',
    askedRoles,
    'What this node does. `all` is router, scheduler, health and workers in one.',
  ),
  name: text(
    'node',
    nameText,
    '1 to 40 letters, digits, - or _',
    'What this node is called, in logs and ids.',
  ),
  cluster: text(
    'signalbox',
    nameText,
    '1 to 40 letters, digits, - or _',
    'Only nodes of the same cluster name talk.',
  ),
  join: text(
    '',
    endpoint,
    'ipc:///path, tcp://host:port or tcp://key@host:port',
    'The node to join. Without it a node with a router founds the cluster, another joins the local one.',
  ),
  endpoint: text(
    '',
    endpoint,
    'ipc:///path or tcp://host:port',
    'Where other nodes reach this one. Default: a socket in a folder of this user.',
  ),
  advertise: text(
    '',
    endpoint,
    'ipc:///path or tcp://host:port',
    'What the others are told of where they reach this node, where that is not what it listens on (`endpoint`).',
  ),
  nats: text(
    '',
    servers,
    'nats://host:port or tls://host:port, several separated by commas',
    'NATS servers with JetStream, by which the nodes of a cluster find each other, in place of `join`.',
  ),
  natsUser: text('', anyText, 'a name', 'Who this node is to NATS, with `natsPassword`.'),
  natsPassword: text('', anyText, 'a password', 'Better in the environment than as a flag.'),
  natsToken: text('', anyText, 'a token', 'In place of a user, where NATS asks for a token.'),
  natsCredentials: text('', anyText, 'a file', 'A credentials file (.creds), in place of a user.'),
  natsNkey: text('', anyText, 'a file', 'A file with the seed of an nkey, in place of a user.'),
  natsTlsCa: text(
    '',
    anyText,
    'a file',
    'Who has to have signed the certificate of NATS, as PEM; asks for TLS.',
  ),
  natsTlsCert: text(
    '',
    anyText,
    'a file',
    'The certificate of this node for NATS, as PEM, with `natsTlsKey`.',
  ),
  natsTlsKey: text('', anyText, 'a file', 'The key of that certificate, as PEM.'),
  natsWaitMs: whole(15_000, 100, 600_000, 'How long a start waits for NATS before it is given up.'),
  leaseMs: whole(
    12_000,
    400,
    600_000,
    'A node that NATS has had no word of for so long is gone. It writes four times as often. Below 10 s the loss of a NATS server may look like that of nodes.',
  ),
  keyFile: text(
    '',
    anyText,
    'a file',
    'The key of this node, made by `node runtime keys new`: over tcp it talks to nodes with keys only, encrypted, and only to those that it trusts.',
  ),
  trustFile: text(
    '',
    anyText,
    'a file',
    'The keys of the nodes that it trusts, written by `node runtime keys trust`; read again when it changes. Default: `trusted` beside `keyFile`.',
  ),
  insecure: flag(
    false,
    'Allows addresses that are not loopback, of the doors and, without keys, of `endpoint`: only where the network is trusted.',
  ),
  models: text('examples/models', /^.{1,4000}$/s, 'a folder', 'The model repository.'),
  modelControl: choice('on', ['on', 'off'], 'Whether clients of this node may load and unload models.'),
  clusterControl: choice(
    'on',
    ['on', 'off'],
    'Whether clients of this node may drain, undrain and remove nodes of its cluster.',
  ),
  watchModels: flag(
    false,
    'Takes up what changes in the repository by itself: a folder that is new, has changed or is gone.',
  ),
  watchIntervalMs: whole(
    1000,
    20,
    3_600_000,
    'How often it looks. A change is taken up when two looks have found the same.',
  ),
  defaultModel: text('digits', anyText, 'a model of the repository', 'What the simple ModelService serves.'),
  workerCount: whole(2, 0, 64, 'Worker processes that this node starts.'),
  threadCount: whole(1, 1, 64, 'Compute threads of each worker.'),
  device: text(
    'cpu',
    deviceList,
    `${deviceWanted}; or several of them, separated by commas`,
    'What models run on where their configuration says nothing else. Of several each worker of this node has the next.',
  ),
  fallback: choice(
    'none',
    fallbacks,
    'Where a device fails: models are not served there, with the reason (none), or run on the CPU, which is told (cpu).',
  ),
  modelMemoryMb: whole(
    0,
    0,
    2 ** 30,
    'MB that models may take in each worker: where they need more, the one used least recently is unloaded, and loaded again when it is asked for. 0: no bound.',
  ),
  host: text(
    '127.0.0.1',
    /^[^\s]{1,255}$/,
    'an address of this machine',
    'The address that the doors listen on.',
  ),
  httpPort: whole(8000, 0, 65_535, 'REST. 0 takes any free port.'),
  grpcPort: whole(8001, 0, 65_535, 'gRPC. 0 takes any free port.'),
  healthPort: whole(
    -1,
    -1,
    65_535,
    'A port for probes alone, for a node of any role: GET /v2/health/live and /v2/health/ready. 0 takes any free port, -1: none.',
  ),
  requestBytesMax: whole(64 * 2 ** 20, 1024, 2 ** 30, 'The largest request.'),
  bodyWaitMs: whole(30_000, 100, 600_000, 'How long the body of a REST request may take.'),
  deadlineDefaultMs: whole(
    30_000,
    1,
    86_400_000,
    'For requests that bring no deadline, where the model has none either.',
  ),
  deadlineLongestMs: whole(3_600_000, 1, 86_400_000, 'A longer deadline is cut to this.'),
  jobsMax: whole(32_768, 1, 1_000_000, 'Jobs that a router holds at once.'),
  payloadBytesMax: whole(2 ** 30, 1024, 2 ** 40, 'Bytes of requests that a router holds at once.'),
  jobsKeptMax: whole(
    1024,
    0,
    100_000,
    'Jobs that are remembered for `node runtime jobs` when they did not end well; of the others an eighth.',
  ),
  queueDepthMax: whole(16_384, 1, 1_000_000, 'Jobs that wait for one model at a scheduler.'),
  queueBytesMax: whole(2 ** 29, 1024, 2 ** 40, 'Bytes of requests that wait for one model.'),
  streamInFlightMax: whole(128, 1, 65_536, 'Requests of one gRPC stream that are answered at the same time.'),
  pipelineThreadCount: whole(
    2,
    1,
    64,
    'Threads for the steps before and after models, such as decoding images; started when the first is needed.',
  ),
  pipelineQueueDepthMax: whole(1024, 1, 1_000_000, 'Requests that wait before the steps of all models.'),
  pipelineQueueBytesMax: whole(
    2 ** 28,
    1024,
    2 ** 40,
    'Bytes of requests that wait before the steps of all models.',
  ),
  admission: choice(
    'on',
    ['on', 'off'],
    'Whether requests are refused at once that could only be answered after their deadline.',
  ),
  workerChoice: choice(
    'earliest-finish',
    workerChoices,
    'Which of the workers that could take a batch gets it.',
  ),
  inlineCreditCount: whole(2, 1, 64, 'Batches of tiny models that a worker takes at once.'),
  threadCreditCount: whole(
    2,
    1,
    64,
    'Batches of other models that a worker takes at once: one runs, the others wait.',
  ),
  workerTags: tags(
    'What models may ask for in the workers of this node, beside their device and `host:` with its name.',
  ),
  cacheFolder: text(
    '',
    anyText,
    'a folder',
    'Where is kept what costs to find out, such as how long models run, and optimised graphs (256 MiB at most). Default: a folder of this user.',
  ),
  attemptsMax: whole(3, 1, 100, 'Runs of one job that may fail for a fault of the machinery.'),
  retryShare: decimal(0.1, 0, 1, 'Tries beyond the first that are allowed, as a share of the jobs taken.'),
  retryPerSecond: decimal(3, 0, 10_000, 'Tries beyond the first that are allowed in each second besides.'),
  hedgeShare: decimal(
    0.02,
    0,
    1,
    'Second runs beside slow first ones that are allowed where models ask for them, as a share of the jobs taken.',
  ),
  sharersMax: whole(
    64,
    0,
    10_000,
    'Identical requests that wait for the run of one, where models allow that.',
  ),
  lossesMax: whole(
    16,
    1,
    100,
    'Workers that a job may lose before it is given up, apart from the tries above.',
  ),
  runLongestMs: whole(
    60_000,
    10,
    86_400_000,
    'A run that takes longer is taken for hung, where the model says nothing else.',
  ),
  probeEveryMs: whole(
    0,
    0,
    86_400_000,
    'How often a worker runs the golden input of one of its models, in turn; half as often while it has something to do. 0: only when in doubt.',
  ),
  beatMs: whole(40, 5, 10_000, 'The pace of heartbeats.'),
  suspectPhi: decimal(1.2, 0.1, 50, 'Suspicion at which a member gets no new work.'),
  downPhi: decimal(2, 0.1, 100, 'Suspicion at which a member is given up and its jobs run elsewhere.'),
  hungKillMs: whole(
    10_000,
    100,
    3_600_000,
    'A worker that was given up and stays silent is killed after this.',
  ),
  restartsMax: whole(60, 1, 10_000, 'Restarts at once within the window; more of them wait.'),
  restartWindowMs: whole(30_000, 100, 3_600_000, 'The window in which restarts are counted.'),
  drainMs: whole(
    15_000,
    0,
    600_000,
    'How long a stop waits for what is under way; what is left then ends as NODE_STOPPED.',
  ),
  lameDuckMs: whole(
    0,
    0,
    600_000,
    'How long a node with a router that is asked to stop says that it is not ready and answers all the same, for load balancers to notice.',
  ),
  logLevel: choice('info', ['debug', 'info', 'warn', 'error', 'silent'], 'How much is logged.'),
} as const satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof settings;
export type Config = { readonly [K in SettingName]: ValueOf<(typeof settings)[K]> };

export const settingNames = Object.keys(settings) as SettingName[];

/** `httpPort` → `--http-port`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `httpPort` → `SIGNALBOX_HTTP_PORT`. */
export function environmentOf(name: string): string {
  return `SIGNALBOX_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
