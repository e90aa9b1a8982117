// What the tests of POST …/infer ask for: the model `twice`, with a JSON body or one that has binary tensors behind it.
import type { RestAnswer, RestScene } from './rest-client.js';

export const path = '/v2/models/twice/infer';
export const x = { name: 'x', datatype: 'FP32', shape: [2], data: [1.5, -2] };

export class Asking {
  private scene: RestScene | undefined;

  of(scene: RestScene): void {
    this.scene = scene;
  }

  infer = (body: unknown, headers: Record<string, string> = {}, at = path): Promise<RestAnswer> =>
    this.post(at, typeof body === 'string' ? body : JSON.stringify(body), headers);

  /** JSON, then blobs. */
  binary = (
    json: unknown,
    blobs: Uint8Array[],
    headers: Record<string, string> = {},
    at = path,
  ): Promise<RestAnswer> => {
    const head = Buffer.from(JSON.stringify(json));
    const own = { 'Inference-Header-Content-Length': String(head.length), ...headers };
    return this.post(at, Buffer.concat([head, ...blobs]), own);
  };

  private post(at: string, body: string | Uint8Array, headers: Record<string, string>): Promise<RestAnswer> {
    if (this.scene === undefined) throw new Error('the door is not open yet');
    return this.scene.post(at, body, headers);
  }
}
