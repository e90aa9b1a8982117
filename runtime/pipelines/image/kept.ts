// What the steps of the image pipeline leave for one another, and how images go from one to the next: as tensors.
import type { Tensor } from '../../../proto/tensor.js';
import { StepError, type StepRequest } from '../step.js';
import type { Animation } from './codec.js';
import type { Picture } from './picture.js';

/** An image as it came; of one that moves each frame goes through by itself. */
export interface Given {
  readonly format: string;
  readonly animation?: Animation;
}

export const givenKey = 'image.given';
/** Of each image or frame behind the model. */
export const outlinesKey = 'image.outlines';

export function listIn<T>(request: StepRequest, key: string): T[] {
  let list = request.kept.get(key) as T[] | undefined;
  if (list === undefined) {
    list = [];
    request.kept.set(key, list);
  }
  return list;
}

export function tensorOf({ width, height, channels, data }: Picture): Tensor {
  return { name: 'image', datatype: 'UINT8', shape: [height, width, channels], data };
}

export function pictureOf({ shape, datatype, data }: Tensor): Picture {
  const [height = 0, width = 0, channels = 0] = shape;
  if (datatype === 'UINT8' && shape.length === 3 && channels >= 1 && channels <= 4)
    return { width, height, channels, data };
  throw new StepError(
    'MODEL_FAILED',
    `wanted is an image as UINT8 [height, width, 1 to 4], given is ${datatype} [${shape}]`,
  );
}
