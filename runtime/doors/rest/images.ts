// Images as they are, over REST: a body of Content-Type image/... is the one element of a model's one input, and its answer
// goes back as an image where the client takes that.
import type { Tensor } from '../../../proto/tensor.js';
import { formatOf } from '../../pipelines/image/formats.js';
import { invalidInput, type ParameterValue } from '../request.js';
import { portText, quote } from '../sentence.js';
import type { Signature } from '../signature.js';
import { wantedFormat } from './accept.js';
import type { Exchange, Headers } from './exchange.js';
import { type RestRequest, rawRequest } from './infer-request.js';

const lengthBytes = 4;

export function isImage(contentType: string | undefined): contentType is string {
  return contentType?.startsWith('image/') === true;
}

/** Parameters come behind the path: `?scale=3&format=png`. */
export function imageRequest(signature: Signature, body: Buffer, exchange: Exchange): RestRequest {
  const port = signature.inputs[0];
  if (port?.datatype !== 'BYTES' || signature.inputs.length > 1) {
    throw invalidInput(
      `model ${quote(signature.model)} takes no image as it is: its inputs are ${signature.inputs.map(portText).join(', ')}`,
    );
  }
  const url = exchange.request.url ?? '';
  const query = url.indexOf('?');
  const parameters = new Map<string, ParameterValue>(new URLSearchParams(query < 0 ? '' : url.slice(query)));
  const wanted = wantedFormat(exchange.header('accept'));
  if (wanted !== undefined && !parameters.has('format')) parameters.set('format', wanted);
  return { ...rawRequest(signature, body), parameters };
}

/** False where the answer is no single image. */
export function replyImage(exchange: Exchange, outputs: readonly Tensor[], headers: Headers): boolean {
  const [output, ...others] = outputs;
  if (output?.datatype !== 'BYTES' || others.length > 0 || output.data.length < lengthBytes) return false;
  const { data } = output;
  const length = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  const image = data.subarray(lengthBytes);
  const format = image.length === length ? formatOf(image) : undefined;
  if (format === undefined) return false;
  exchange.reply(200, `image/${format}`, [image], headers);
  return true;
}
