// `node runtime infer`: one request from the command line, with an image or a text, to a running node or to one that is
// started for it.
import { readFile, writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { now } from '../clock.js';
import { ConfigError } from '../config/load.js';
import { settings } from '../config/schema.js';
import { readAddress, readArguments } from '../flags.js';
import { ask, askElement, askImage, type Metadata, metadataOf, portsText } from './asking.js';

type Environment = Readonly<Record<string, string | undefined>>;
type Flags = ReadonlyMap<string, string>;

const flags: Readonly<Record<string, string>> = {
  '--image': 'FILE',
  '--out': 'FILE',
  '--text': 'TEXT',
  '--scale': 'N',
  '--quality': 'N',
  '--variant': 'NAME',
  '--server': 'URL',
  '--models': 'FOLDER',
  '--help': '',
};

export const inferHelp = `Usage: node runtime infer MODEL --image FILE --out FILE [--scale N] [--quality N] [--variant NAME]
       node runtime infer MODEL --text TEXT [--variant NAME]

Sends one request and prints or writes the answer. Asks the node that runs on this machine; where none runs, one is
started for the request and stopped after it.

  --image FILE             A JPEG, PNG, WebP or GIF to send.
  --out FILE               Where the image that comes back is written: .png, .jpg or .webp.
  --text TEXT              A text to send; what comes back is printed as JSON.
  --scale N, --quality N   Parameters of the request, for models that know them.
  --variant NAME           A precision of the model that its config lets requests choose, such as int8.
  --server URL             The REST door of a node, and no other. [http://127.0.0.1:${settings.httpPort.fallback}]
  --models FOLDER          Where a node that is started has its models. [${settings.models.fallback}]`;

const written: Readonly<Record<string, string>> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
};

/** What is to be printed. Throws a ConfigError for wrong use, another error where there is no good answer. */
export async function inferText(args: readonly string[], environment: Environment): Promise<string> {
  const { words, flags: given } = readArguments('infer', flags, args);
  if (given.has('--help')) return inferHelp;
  const [model, ...more] = words;
  if (model === undefined)
    throw new ConfigError('infer needs the name of a model: infer MODEL --image FILE --out FILE');
  if (more.length > 0) throw new ConfigError(`infer takes one model; ${more.join(' ')} is one too many`);
  check(given);
  const image = given.get('--image');
  const bytes = image === undefined ? Buffer.from(given.get('--text') as string) : await contentOf(image);
  const server = await serverFor(model, given, environment);
  try {
    const metadata = await metadataOf(server.url, model);
    if (image === undefined) return await textAnswer(server.url, metadata, bytes, given);
    return await imageAnswer(server.url, metadata, bytes, given);
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
  if (out !== undefined && written[extname(out).toLowerCase()] === undefined) {
    throw new ConfigError(
      `--out is ${JSON.stringify(out)}; wanted is a file that ends in ${Object.keys(written).join(', ')}`,
    );
  }
  const server = given.get('--server');
  if (server === undefined) return;
  if (given.has('--models'))
    throw new ConfigError('--models is for a node that is started, and --server names one that runs');
  readAddress('--server', server);
}

async function contentOf(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (fault) {
    throw new Error(`the image ${file} can't be read: ${(fault as Error).message}`);
  }
}

interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

async function serverFor(model: string, given: Flags, environment: Environment): Promise<Server> {
  const address = given.get('--server');
  const named = address && readAddress('--server', address);
  const port = settings.httpPort.read(environment.SIGNALBOX_HTTP_PORT) ?? settings.httpPort.fallback;
  const url = named ?? `http://${environment.SIGNALBOX_HOST ?? settings.host.fallback}:${port}`;
  const isRunning = !given.has('--models') && (await runsAt(url));
  if (isRunning) return { url, stop: async () => {} };
  if (named !== undefined) {
    throw new Error(
      `no node answers at ${named}; start one with \`node runtime\`, or leave --server out: one is started then`,
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

function parametersOf(given: Flags): Record<string, string> {
  const out = given.get('--out');
  const format = out === undefined ? undefined : written[extname(out).toLowerCase()];
  const [scale, quality, variant] = ['--scale', '--quality', '--variant'].map((flag) => given.get(flag));
  const pairs = Object.entries({ scale, quality, variant, format });
  return Object.fromEntries(pairs.filter((pair): pair is [string, string] => pair[1] !== undefined));
}

async function textAnswer(url: string, metadata: Metadata, bytes: Uint8Array, given: Flags): Promise<string> {
  const outputs = await askElement(url, metadata, bytes, parametersOf(given));
  return outputs.map(({ data }) => JSON.stringify(data)).join('\n');
}

async function imageAnswer(
  url: string,
  metadata: Metadata,
  bytes: Uint8Array,
  given: Flags,
): Promise<string> {
  const out = given.get('--out');
  const givesBytes = metadata.outputs.length === 1 && metadata.outputs[0]?.datatype === 'BYTES';
  if (!givesBytes) {
    if (out !== undefined)
      throw new Error(`${metadata.name} gives no image for --out: it gives ${portsText(metadata.outputs)}`);
    return textAnswer(url, metadata, bytes, given);
  }
  if (out === undefined)
    throw new ConfigError(`${metadata.name} gives an image: --out FILE says where it is written`);
  const beganAt = now();
  const answer = await askImage(url, metadata, bytes, parametersOf(given));
  if (answer === undefined) throw new Error(`${metadata.name} gave no image for --out`);
  await writeFile(out, answer.bytes);
  const seconds = ((now() - beganAt) / 1000).toFixed(1);
  return `${out}: ${answer.type}, ${answer.bytes.length} bytes, after ${seconds} s`;
}
