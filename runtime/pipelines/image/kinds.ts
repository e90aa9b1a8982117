// The steps of the image pipeline as configs name them, with their options.
import { whole, word, z } from '../../shape.js';
import { stepKind } from '../step.js';
import { imageFormats } from './formats.js';

const scaleMax = 8;

const decodeShape = z.strictObject({
  pixelsMax: whole(1, 1_000_000_000)
    .default(32_000_000)
    .describe('Pixels of an image; a larger one is refused.'),
  imagesMax: whole(1, 1024).default(16).describe('Images of one request.'),
  framesMax: whole(1, 100_000)
    .default(1)
    .describe(
      'Frames of an animated GIF or WebP, each of which goes through by itself. 1: the first counts.',
    ),
});
const enlargeShape = z.strictObject({
  scale: whole(1, scaleMax)
    .default(2)
    .describe('How many times as wide and as high, unless the parameter `scale` says.'),
  scales: z
    .array(whole(1, scaleMax))
    .min(1)
    .max(scaleMax)
    .default([2])
    .describe('What the parameter may say.'),
  tileSide: whole(16, 8192).default(256).describe('Side of the tiles in pixels, each a job of its own.'),
  halo: whole(0, 512)
    .default(6)
    .describe('Pixels around a tile that the model sees besides: as far as it looks.'),
  tensor: word(128).default('input').describe("The model's input."),
});
const encodeShape = z.strictObject({
  format: z
    .enum(['same', ...imageFormats])
    .default('same')
    .describe(
      'How it is written, unless the parameter `format` says, which knows `jpg` too: `same` as it came, and what WebP can not hold (40 megapixels, 16383 pixels a side) as another, one GIF as PNG.',
    ),
  quality: whole(1, 100).default(90).describe('Of JPEG and WebP, unless the parameter `quality` says.'),
  tensor: word(128).default('image').describe('The output that clients see.'),
});

export type DecodeOptions = z.output<typeof decodeShape>;
export type EnlargeOptions = z.output<typeof enlargeShape>;
export type EncodeOptions = z.output<typeof encodeShape>;

const steps = () => import('./steps.js');

export const imageKinds = {
  'image.decode': stepKind({
    side: 'before',
    meaning: 'JPEG, PNG, WebP or GIF bytes to pixels: upright, in sRGB, 8 bits a channel.',
    options: decodeShape,
    takes: () => [{ name: 'image', datatype: 'BYTES', shape: [-1] }],
    load: async () => (await steps()).decode,
  }),
  'image.enlarge': stepKind({
    side: 'before',
    meaning: 'The brightness of the image, enlarged by bicubic, 0 to 1, in tiles.',
    options: enlargeShape,
    check: ({ scale, scales }) =>
      scales.includes(scale)
        ? []
        : [`scale is ${scale}; wanted is one of scales, which are [${scales.join(', ')}]`],
    load: async () => (await steps()).enlarge,
  }),
  'image.recolour': stepKind({
    side: 'after',
    meaning:
      'Puts tiles of brightness together to an image and gives it its colours and its alpha back; one of 8 megapixels and more comes in bands of rows.',
    options: z.strictObject({}),
    load: async () => (await steps()).recolour,
  }),
  'image.encode': stepKind({
    side: 'after',
    meaning: 'Pixels to PNG, JPEG, WebP or GIF bytes, frames to an animation.',
    options: encodeShape,
    gives: ({ tensor }) => [{ name: tensor, datatype: 'BYTES', shape: [-1] }],
    load: async () => (await steps()).encode,
  }),
} as const;
