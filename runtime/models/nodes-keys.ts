// What a model's owner may say under `nodes`: which nodes of a cluster fetch it, where it is in the store that they share.
import { limits } from '../../proto/limits.js';
import { tagPattern, tagWanted } from '../../proto/tags.js';
import { whole, z } from '../shape.js';

const tag = z.string().regex(tagPattern, { error: tagWanted });

export const nodesShape = z.strictObject({
  replicas: whole(0, limits.membersMax)
    .default(0)
    .describe(
      'On how many nodes workers have it, of those that fit; 0: on all. Only for models that were pushed.',
    ),
  needs: z
    .array(tag)
    .max(limits.tagsMax)
    .default([])
    .describe(
      'Tags (`--worker-tags`) that a worker of the node must have, beside those of `batching.needs`.',
    ),
  device: tag
    .optional()
    .describe('What a worker of the node must run on, such as cuda or cuda:1. Default: whatever it is.'),
});
