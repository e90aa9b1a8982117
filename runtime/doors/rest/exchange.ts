// One HTTP request and its answer: bytes out, compressed where the client takes that, refusals always as
// {"error": ...} with the code, the job and its path in headers.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errors } from '../../../proto/errors.js';
import { after } from '../../clock.js';
import { type DoorOptions, type Refusal, retryAfterMs } from '../door.js';
import { headerSafe } from '../sentence.js';
import { compress, compressedSizeMin, encodingFor } from './encoding.js';

export type Headers = Record<string, string | number>;

/** So long a client may go on sending a body that is refused, so that it gets to read why. */
const lingerMs = 2000;
/** Below this an answer in parts is put together first, for one write is cheaper than several. */
const joinedBytesMax = 65_536;
const textBytesMax = 4096;

export class Exchange {
  readonly request: IncomingMessage;
  readonly options: DoorOptions;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse, options: DoorOptions) {
    this.request = request;
    this.#response = response;
    this.options = options;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return typeof value === 'string' ? value : value?.[0];
  }

  /** Runs when the client goes away, and also after a normal end. */
  onClosed(run: () => void): void {
    this.#response.once('close', run);
  }

  /** Nobody is left to read an answer. */
  get isGone(): boolean {
    return this.#response.closed || this.request.socket.destroyed;
  }

  json(value: unknown, status = 200): void {
    this.text(status, JSON.stringify(value), {});
  }

  /** Answers with JSON. */
  text(status: number, json: string, headers: Headers): void {
    const size = Buffer.byteLength(json);
    if (size !== json.length || size > textBytesMax || size >= compressedSizeMin) {
      this.reply(status, 'application/json', [Buffer.from(json)], headers);
      return;
    }
    // One byte a character: it goes as it is.
    if (this.#begin(status, 'application/json', size, headers)) this.#response.end(json, 'latin1');
  }

  reply(status: number, type: string, parts: readonly Uint8Array[], headers: Headers): void {
    let size = 0;
    for (const part of parts) size += part.length;
    // Images are packed as they are.
    const isPlain = size < compressedSizeMin || type.startsWith('image/');
    const encoding = isPlain ? undefined : encodingFor(this.header('accept-encoding'));
    if (encoding === undefined) {
      this.#send(status, type, parts, size, headers);
      return;
    }
    compress(Buffer.concat(parts, size), encoding, (packed) => {
      if (packed === undefined) {
        this.#send(status, type, parts, size, headers);
        return;
      }
      const own = { ...headers, 'content-encoding': encoding, vary: 'accept-encoding' };
      this.#send(status, type, [packed], packed.length, own);
    });
  }

  refuse(refusal: Refusal, extra: Headers = {}): void {
    const row = errors[refusal.code];
    const headers: Headers = { ...extra, 'signalbox-code': refusal.code };
    if (refusal.job !== '') headers['signalbox-job'] = headerSafe(refusal.job, 200);
    if (refusal.path !== '') headers['signalbox-path'] = headerSafe(refusal.path, 4000);
    const againMs = retryAfterMs(refusal);
    if (againMs > 0) {
      headers['retry-after'] = Math.ceil(againMs / 1000);
      headers['retry-after-ms'] = againMs;
    }
    const body = Buffer.from(JSON.stringify({ error: refusal.message }));
    this.#send(row.http, 'application/json', [body], body.length, headers);
    this.#linger(refusal);
  }

  #send(status: number, type: string, parts: readonly Uint8Array[], size: number, headers: Headers): void {
    if (!this.#begin(status, type, size, headers)) return;
    const response = this.#response;
    if (size <= textBytesMax) {
      const whole = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts, size);
      // One byte a character: node:http puts text and headers into one write, bytes into two.
      response.end(Buffer.from(whole.buffer, whole.byteOffset, size).toString('latin1'), 'latin1');
      return;
    }
    if (parts.length === 1 || size <= joinedBytesMax) {
      response.end(parts.length === 1 ? parts[0] : Buffer.concat(parts, size));
      return;
    }
    for (const part of parts) response.write(part);
    response.end();
  }

  /** False when there is nobody to answer, or there was an answer already. */
  #begin(status: number, type: string, size: number, headers: Headers): boolean {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return false;
    headers['content-type'] = type;
    headers['content-length'] = size;
    response.writeHead(status, headers);
    return true;
  }

  /** A body that was refused and still comes is thrown away for a while; then the connection goes. */
  #linger(refusal: Refusal): void {
    const { request } = this;
    if (request.complete) return;
    request.resume();
    const timer = after(
      refusal.code === 'BODY_LATE' ? 0 : lingerMs,
      () => request.socket.destroySoon(),
      false,
    );
    request.once('close', () => timer.cancel());
    request.once('end', () => timer.cancel());
  }
}
