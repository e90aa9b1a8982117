// A REST door with the stand-in behind it, asked by fetch; and a bare socket for what no client library would send.
import { connect, type Socket } from 'node:net';
import { type Door, type DoorOptions, doorDefaults } from '../../runtime/doors/door.js';
import { createRestDoor } from '../../runtime/doors/rest/door.js';
import { KeptLog, StandIn } from './stand-in.js';

export interface RestScene {
  readonly engine: StandIn;
  readonly log: KeptLog;
  readonly port: number;
  readonly door: Door;
  get(path: string): Promise<RestAnswer>;
  post(path: string, body: string | Uint8Array, headers?: Record<string, string>): Promise<RestAnswer>;
  stop(): Promise<void>;
}

export interface RestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  /** Of the JSON part, where there are binary tensors behind it. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely
  readonly json: any;
}

export async function openRest(options: Partial<DoorOptions> = {}): Promise<RestScene> {
  const engine = new StandIn();
  const log = new KeptLog();
  const door = createRestDoor(engine, { ...doorDefaults, ...options }, log);
  const { port } = await door.start();
  const url = `http://127.0.0.1:${port}`;
  return {
    engine,
    log,
    port,
    door,
    get: async (path) => read(await fetch(`${url}${path}`)),
    post: async (path, body, headers = {}) =>
      read(
        await fetch(`${url}${path}`, {
          method: 'POST',
          body: typeof body === 'string' ? body : Buffer.from(body),
          headers,
        }),
      ),
    stop: () => door.stop(0),
  };
}

async function read(response: Response): Promise<RestAnswer> {
  const bytes = Buffer.from(await response.arrayBuffer());
  const length = response.headers.get('inference-header-content-length');
  const text = bytes.subarray(0, length === null ? bytes.length : Number(length)).toString();
  return {
    status: response.status,
    headers: response.headers,
    bytes,
    json: text === '' ? undefined : JSON.parse(text),
  };
}

export interface Bare {
  readonly socket: Socket;
  /** Everything that was received, once the other side has closed. */
  readonly closed: Promise<string>;
  /** The first answer's head and what came of its body with it. */
  readonly first: Promise<string>;
}

export function bare(port: number, text: string): Bare {
  const socket = connect(port, '127.0.0.1');
  const parts: Buffer[] = [];
  let isTold = false;
  let told: (text: string) => void = () => {};
  const first = new Promise<string>((resolve) => {
    told = resolve;
  });
  const closed = new Promise<string>((resolve) => {
    socket.on('data', (part) => {
      parts.push(part);
      if (isTold) return;
      const received = textOf(parts);
      isTold = received.includes('\r\n\r\n');
      if (isTold) told(received);
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(textOf(parts)));
  });
  socket.write(text);
  return { socket, closed, first };
}

function textOf(parts: readonly Buffer[]): string {
  return Buffer.concat(parts).toString('latin1');
}
