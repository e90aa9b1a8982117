// `node runtime infer`: one request from the command line, with an image or a text, to a running node or to one that is
// started for it.

import { baseUrl, type Environment } from '../ask.js';
import { ConfigError } from '../config/load.js';
import { settings } from '../config/schema.js';
import { readArguments } from '../flags.js';
import { ask, metadataOf } from './asking.js';
import { imageErrand, type Parameters, textErrand } from './errands.js';

type Flags = ReadonlyMap<string, string>;

const flags: Readonly<Record<string, string>> = {
  '--image': 'FILE',
  '--out': 'FILE',
  '--frame-deadline-ms': 'N',
  '--text': 'TEXT',
  '--scale': 'N',
  '--quality': 'N',
  '--variant': 'NAME',
  '--url': 'URL',
  '--http-port': 'PORT',
  '--models': 'FOLDER',
  '--help': '',
};

export const inferHelp = `Usage: node runtime infer MODEL --image FILE --out FILE [--scale N] [--quality N] [--variant NAME]
       node runtime infer MODEL --image FOLDER --out FOLDER [--frame-deadline-ms N]
       node runtime infer MODEL --text TEXT [--variant NAME]

Sends one request and prints or writes the answer. Asks the node that runs on this machine; where none runs, one is
started for the request and stopped after it.

  --image FILE             A JPEG, PNG, WebP or GIF to send, or a folder of such frames, taken in the order of their numbers.
  --out FILE               Where the image that comes back is written: .png, .jpg or .webp; an animation as .gif or .webp,
                           frame by frame as it came; for a folder a folder.
  --frame-deadline-ms N    A frame of an animation or folder that takes longer is left out. [none]
  --text TEXT              A text to send; what comes back is printed as JSON.
  --scale N, --quality N   Parameters of the request, for models that know them.
  --variant NAME           A precision of the model that its config lets requests choose, such as int8.
  --url URL                The REST door of a node, and no other. [http://127.0.0.1:${settings.httpPort.fallback}]
  --http-port PORT         The same on this machine, by its port (SIGNALBOX_HTTP_PORT).
  --models FOLDER          Where a node that is started has its models. [${settings.models.fallback}]`;

const doorFlags = ['--url', '--http-port'];

/** What is to be printed. Throws a ConfigError for wrong use, another error where there is no good answer. */
export async function inferText(args: readonly string[], environment: Environment): Promise<string> {
  const { words, flags: given } = readArguments('infer', flags, args);
  if (given.has('--help')) return inferHelp;
  const [model, ...more] = words;
  if (model === undefined)
    throw new ConfigError('infer needs the name of a model: infer MODEL --image FILE --out FILE');
  if (more.length > 0) throw new ConfigError(`infer takes one model; ${more.join(' ')} is one too many`);
  check(given);
  const text = given.get('--text');
  // Before files are read.
  namedDoor(given, environment);
  const errand = text === undefined ? await imageErrand(given) : textErrand(Buffer.from(text));
  const server = await serverFor(model, given, environment);
  try {
    return await errand(server.url, await metadataOf(server.url, model), parametersOf(given));
  } finally {
    await server.stop();
  }
}

function check(given: Flags): void {
  const [image, text, out] = ['--image', '--text', '--out'].map((flag) => given.get(flag));
  if ((image === undefined) === (text === undefined)) {
    const both =
      image === undefined ? 'infer needs --image FILE or --text TEXT' : '--image and --text are given';
    throw new ConfigError(`${both}: wanted is one of them`);
  }
  if (out !== undefined && image === undefined)
    throw new ConfigError('--out is for images, and --text gives none');
  const named = doorFlags.find((flag) => given.has(flag));
  if (named !== undefined && given.has('--models'))
    throw new ConfigError(`--models is for a node that is started, and ${named} names one that runs`);
}

interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

function namedDoor(given: Flags, environment: Environment): string | undefined {
  return doorFlags.some((flag) => given.has(flag)) ? baseUrl(given, environment) : undefined;
}

async function serverFor(model: string, given: Flags, environment: Environment): Promise<Server> {
  const named = namedDoor(given, environment);
  const port = settings.httpPort.read(environment.SIGNALBOX_HTTP_PORT) ?? settings.httpPort.fallback;
  const url = named ?? `http://${environment.SIGNALBOX_HOST ?? settings.host.fallback}:${port}`;
  const isRunning = !given.has('--models') && (await runsAt(url));
  if (isRunning) return { url, stop: async () => {} };
  if (named !== undefined) {
    throw new Error(
      `no node answers at ${named}; start one with \`node runtime\`, or name none: one is started then`,
    );
  }
  const { modelReady, startPrivateNode } = await import('./private.js');
  const server = await startPrivateNode(given.get('--models'), environment);
  try {
    await modelReady(server.url, model.split(':')[0] as string);
  } catch (fault) {
    await server.stop();
    throw fault;
  }
  return server;
}

/** Whatever else may listen there is no node of ours. */
async function runsAt(url: string): Promise<boolean> {
  const answer = await ask(url, '/v2').catch(() => undefined);
  return answer?.status === 200 && answer.text.includes('"signalbox"');
}

function parametersOf(given: Flags): Parameters {
  const [scale, quality, variant] = ['--scale', '--quality', '--variant'].map((flag) => given.get(flag));
  const pairs = Object.entries({ scale, quality, variant });
  return Object.fromEntries(pairs.filter((pair): pair is [string, string] => pair[1] !== undefined));
}
