// POST …/infer: a body becomes a job, the job's end an answer or a refusal; a client that goes away cancels it.
import type { Tensor } from '../../../proto/tensor.js';
import { now } from '../../clock.js';
import {
  type DoorLog,
  type DoorOptions,
  pathText,
  type Refusal,
  refusalOf,
  refusalOfAnswer,
} from '../door.js';
import type { Answer, Engine } from '../engine.js';
import type { Flight } from '../flight.js';
import type { Models } from '../models.js';
import { timeoutMs } from '../request.js';
import type { Signature } from '../signature.js';
import { submissionOf } from '../submission.js';
import { takesImage } from './accept.js';
import { readBody } from './body.js';
import type { Exchange, Headers } from './exchange.js';
import { imageRequest, isImage, replyImage } from './images.js';
import { type RestRequest, readInferBody } from './infer-request.js';
import { jsonOfTensor } from './tensor-json.js';

export interface Floor {
  readonly engine: Engine;
  readonly options: DoorOptions;
  readonly log: DoorLog;
  readonly models: Models;
  readonly flight: Flight;
}

export function infer(floor: Floor, exchange: Exchange, model: string, version: string): void {
  const cameAt = now();
  readBody(
    exchange.request,
    floor.options,
    (body) => run(floor, exchange, model, version, body, now() - cameAt),
    (fault) => exchange.refuse(refusalOf(fault, floor.log)),
  );
}

function run(
  floor: Floor,
  exchange: Exchange,
  model: string,
  version: string,
  body: Buffer,
  spentMs: number,
): void {
  const { engine, log, flight } = floor;
  try {
    const signature = floor.models.find(model, version);
    const request = isImage(exchange.header('content-type'))
      ? imageRequest(signature, body, exchange)
      : readInferBody(signature, body, exchange.header('inference-header-content-length'));
    const chosen = floor.models.chosen(signature, request.parameters);
    const submission = submissionOf(chosen, request, Number.POSITIVE_INFINITY, floor, spentMs);
    const { budgetMs } = submission.spec;
    let over = false;
    const land = flight.enter();
    const ticket = engine.submit(submission, (answer) => {
      over = true;
      if (exchange.isGone) land();
      try {
        if (answer.end.ending === 'completed') reply(exchange, signature, request, answer);
        else
          exchange.refuse(
            withSpent(refusalOfAnswer(answer), budgetMs, spentMs, timeoutMs(request.parameters)),
          );
      } catch (fault) {
        exchange.refuse(refusalOf(fault, log));
      }
    });
    // Until its answer is out a job that has ended is under way.
    exchange.onClosed(() => {
      if (over) land();
      else ticket.cancel('the client went away');
    });
  } catch (fault) {
    exchange.refuse(refusalOf(fault, log));
  }
}

/** A job knows of its own time only: what the client allowed began with the first byte of its request. */
export function withSpent(refusal: Refusal, budgetMs: number, spentMs: number, allowedMs: number): Refusal {
  const tells = refusal.code === 'DEADLINE_EXCEEDED' && budgetMs === allowedMs - spentMs && spentMs >= 0.1;
  if (!tells) return refusal;
  const spent = Math.round(spentMs * 10) / 10;
  const why = `of the ${allowedMs} ms allowed, ${spent} ms went by before the request was read`;
  return { ...refusal, message: `${refusal.message}; ${why}` };
}

function reply(exchange: Exchange, signature: Signature, request: RestRequest, answer: Answer): void {
  const headers = traceOf(exchange, answer);
  if (
    signature.pipeline !== undefined &&
    takesImage(exchange.header('accept'), isImage(exchange.header('content-type')))
  ) {
    if (replyImage(exchange, answer.outputs, headers)) return;
  }
  const blobs: Uint8Array[] = [];
  const outputs = answer.outputs.map((output) => {
    if (!request.binary(output.name)) return `${describe(output)},"data":[${jsonOfTensor(output)}]}`;
    blobs.push(output.data);
    return `${describe(output)},"parameters":{"binary_data_size":${output.data.length}}}`;
  });
  const id = request.id === '' ? '' : `"id":${JSON.stringify(request.id)},`;
  const name = `"model_name":${JSON.stringify(signature.model)},"model_version":"${signature.version}"`;
  const text = `{${id}${name},"outputs":[${outputs.join(',')}]}`;
  if (blobs.length === 0) {
    exchange.text(200, text, headers);
    return;
  }
  const json = Buffer.from(text);
  headers['inference-header-content-length'] = json.length;
  exchange.reply(200, 'application/octet-stream', [json, ...blobs], headers);
}

function traceOf(exchange: Exchange, answer: Answer): Headers {
  const headers: Headers = {};
  if (exchange.header('signalbox-trace') === '1') {
    headers['signalbox-job'] = answer.jobId;
    headers['signalbox-path'] = pathText(answer.path());
  }
  return headers;
}

function describe(output: Tensor): string {
  return `{"name":${JSON.stringify(output.name)},"datatype":"${output.datatype}","shape":[${output.shape.join()}]`;
}
