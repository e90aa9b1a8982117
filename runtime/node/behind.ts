// The pipelines of a node over its engine: what the steps make of a request becomes ordinary jobs of the tensor model.
import type { Config } from '../config/schema.js';
import type { DoorOptions } from '../doors/door.js';
import { Models } from '../doors/models.js';
import type { Parameters } from '../doors/request.js';
import { submissionOf } from '../doors/submission.js';
import type { Pipeline } from '../pipelines/declaration.js';
import type { Inner } from '../pipelines/passing.js';
import { Pipelines } from '../pipelines/pipelines.js';
import type { NodeEngine } from './engine.js';

export function createPipelines(engine: NodeEngine, config: Config, options: DoorOptions): Pipelines {
  const models = new Models(engine);
  const judge = { engine, options };
  const innerOf = (pipeline: Pipeline, parameters: Parameters): Inner => {
    const signature = models.behind(pipeline, parameters);
    const { model, version } = signature;
    const release = engine.hold(model, version);
    return {
      model,
      release,
      submission: (inputs, priority, leftMs) => {
        const own: Parameters = new Map([['priority', priority + 1]]);
        const request = { model, version, id: '', parameters: own, inputs, outputs: [] };
        return submissionOf(signature, request, leftMs, judge);
      },
      submit: (submission, reply) => engine.submitPiece(submission, reply),
    };
  };
  const bounds = {
    threadCount: config.pipelineThreadCount,
    queueDepthMax: config.pipelineQueueDepthMax,
    queueBytesMax: config.pipelineQueueBytesMax,
    hungMs: config.hungKillMs,
  };
  return new Pipelines(bounds, innerOf);
}
