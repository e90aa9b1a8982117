// Requests of the command line to a node's REST door: an image, a text, a question, and answers as a person reads them.

export interface Asked {
  readonly status: number;
  readonly type: string;
  /** Of a refusal. */
  readonly code: string;
  readonly text: string;
  readonly bytes: Uint8Array;
}

export interface PortMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

export interface Metadata {
  readonly name: string;
  readonly inputs: readonly PortMetadata[];
  readonly outputs: readonly PortMetadata[];
}

interface Output {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

export async function ask(url: string, path: string, request: RequestInit = {}): Promise<Asked> {
  const answer = await fetch(`${url}${path}`, request);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const type = answer.headers.get('content-type') ?? '';
  const text = type.startsWith('image/') ? '' : Buffer.from(bytes.buffer).toString('utf8');
  return { status: answer.status, type, code: answer.headers.get('signalbox-code') ?? '', text, bytes };
}

export async function metadataOf(url: string, model: string): Promise<Metadata> {
  const answer = await ask(url, pathOf(model));
  if (answer.status !== 200) throw refusalOf(answer);
  return JSON.parse(answer.text) as Metadata;
}

/** One element goes in, as it is; what comes out is an image or is told as values. */
export async function askElement(
  url: string,
  { name, inputs, outputs }: Metadata,
  element: Uint8Array,
  parameters: Readonly<Record<string, string>>,
): Promise<readonly Output[]> {
  const [input] = inputs;
  if (input?.datatype !== 'BYTES' || inputs.length > 1) throw new Error(`${name} takes ${portsText(inputs)}`);
  const data = Buffer.alloc(4 + element.length);
  data.writeUInt32LE(element.length);
  data.set(element, 4);
  const head = Buffer.from(
    JSON.stringify({
      parameters,
      inputs: [
        {
          name: input.name,
          datatype: 'BYTES',
          shape: input.shape.map(() => 1),
          parameters: { binary_data_size: data.length },
        },
      ],
      outputs: outputs.map((output) => ({ name: output.name })),
    }),
  );
  const answer = await ask(url, `${pathOf(name)}/infer`, {
    method: 'POST',
    headers: { 'inference-header-content-length': String(head.length), accept: 'application/json' },
    body: Buffer.concat([head, data]),
  });
  if (answer.status !== 200) throw refusalOf(answer);
  return (JSON.parse(answer.text) as { outputs: Output[] }).outputs;
}

/** The answer as an image, or undefined where the model gives none. */
export async function askImage(
  url: string,
  { name }: Metadata,
  image: Uint8Array,
  parameters: Readonly<Record<string, string>>,
): Promise<Asked | undefined> {
  const query = new URLSearchParams(parameters);
  const answer = await ask(url, `${pathOf(name)}/infer?${query}`, {
    method: 'POST',
    headers: { 'content-type': 'image/*', accept: 'image/*' },
    body: Buffer.from(image),
  });
  if (answer.status !== 200) throw refusalOf(answer);
  return answer.type.startsWith('image/') ? answer : undefined;
}

export function portsText(ports: readonly PortMetadata[]): string {
  return ports.map(({ name, datatype, shape }) => `${name} (${datatype} [${shape}])`).join(', ') || 'nothing';
}

function pathOf(model: string): string {
  const [name = '', version] = model.split(':');
  const path = `/v2/models/${encodeURIComponent(name)}`;
  return version === undefined ? path : `${path}/versions/${encodeURIComponent(version)}`;
}

function refusalOf({ status, code, text }: Asked): Error {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === 'string') return Object.assign(new Error(error), { code });
  } catch {
    // Then it is not one of ours.
  }
  return new Error(`the server answered with status ${status} and no word that is known: is it Signalbox?`);
}
