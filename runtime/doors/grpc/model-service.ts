// The simple service: plain floats for the default model (or the one that the request names), plain floats back.
import { errors, SignalboxError } from '../../../proto/errors.js';
import { now } from '../../clock.js';
import { type Refusal, refusalOf, refusalOfAnswer } from '../door.js';
import type { Answer, Ticket } from '../engine.js';
import { featuresRequest, predictionsOf } from '../features.js';
import { invalidInput } from '../request.js';
import { quote } from '../sentence.js';
import type { Signature } from '../signature.js';
import { submissionOf } from '../submission.js';
import { type Fields, type MethodCodec, services } from './definitions.js';
import { budgetMs, type Floor, giveUp } from './infer.js';
import { addQuery } from './queries.js';
import type { Call, GrpcServer, StreamCall, UnaryCall } from './server.js';

export function addModelService(server: GrpcServer, floor: Floor): void {
  const methods = services().simple;
  const predict = methods['Predict'] as MethodCodec;
  const stream = methods['StreamPredict'] as MethodCodec;
  server.unary(predict.path, (call) => predictOnce(floor, predict, call));
  server.stream(stream.path, (call) => predictStream(floor, stream, call));
  addQuery(server, floor, methods['HealthCheck'] as MethodCodec, () => ({
    healthy: floor.engine.ready(),
    status: floor.engine.ready() ? 'SERVING' : floor.engine.unreadyReason(),
  }));
}

function predictOnce(floor: Floor, method: MethodCodec, call: UnaryCall): void {
  let ticket: Ticket | undefined;
  ticket = submit(floor, method, call, call.request, (result) => {
    ticket = undefined;
    if (Buffer.isBuffer(result)) call.answer(result);
    else call.refuse(result);
  });
  call.onCancelled(() => {
    if (ticket !== undefined) giveUp(call, ticket);
  });
}

/** Answers have no ids here, so they keep the order of the requests; the first refusal ends the stream. */
function predictStream(floor: Floor, method: MethodCodec, call: StreamCall): void {
  interface Place {
    ticket: Ticket | undefined;
    result: Buffer | Refusal | undefined;
  }
  const line: Place[] = [];
  let unsent = 0;
  let ended = false;
  let refused = false;

  function advance(): void {
    for (let first = line[0]; first !== undefined; first = line[0]) {
      if (first.result === undefined) return;
      if (!Buffer.isBuffer(first.result)) return stop(first.result);
      line.shift();
      unsent++;
      call.write(first.result, () => {
        unsent--;
        if (line.length + unsent === floor.options.streamInFlightMax - 1) call.resume();
        finish();
      });
    }
  }

  function stop(refusal: Refusal): void {
    refused = true;
    for (const place of line.splice(0)) place.ticket?.cancel('an earlier request of its stream was refused');
    call.refuse(refusal);
  }

  function finish(): void {
    if (ended && line.length + unsent === 0) call.end();
  }

  call.onRequest((bytes) => {
    if (refused) return;
    const place: Place = { ticket: undefined, result: undefined };
    line.push(place);
    if (line.length + unsent >= floor.options.streamInFlightMax) call.pause();
    place.ticket = submit(floor, method, call, bytes, (result) => {
      place.ticket = undefined;
      place.result = result;
      advance();
    });
  });
  call.onEnd(() => {
    ended = true;
    finish();
  });
  call.onCancelled(() => {
    for (const { ticket } of line) if (ticket !== undefined) giveUp(call, ticket);
  });
}

/** Calls `done` once; at once, and without a ticket, when the request is refused before it becomes a job. */
function submit(
  floor: Floor,
  method: MethodCodec,
  call: Call,
  bytes: Buffer,
  done: (result: Buffer | Refusal) => void,
): Ticket | undefined {
  const startedAt = now();
  try {
    const request = method.request.decode(bytes);
    const signature = signatureFor(floor, String(request['model_version'] ?? ''));
    const features = request['features'] as readonly number[];
    const asked = featuresRequest(signature, features, Number(request['batch_size']));
    const submission = submissionOf(signature, asked, budgetMs(call), floor);
    const land = floor.flight.enter();
    return floor.engine.submit(submission, (answer) => {
      land();
      try {
        if (answer.end.ending === 'completed') {
          done(method.response.encode(response(signature, answer, now() - startedAt)));
        } else done(refusalOfAnswer(answer));
      } catch (fault) {
        done(refusalOf(fault, floor.log));
      }
    });
  } catch (fault) {
    done(refusalOf(fault, floor.log));
    return undefined;
  }
}

function response(signature: Signature, answer: Answer, latencyMs: number): Fields {
  return {
    predictions: predictionsOf(answer.outputs),
    latency_ms: latencyMs,
    model_version: signature.version,
  };
}

/** Empty, a version, a model, or `model:version`. */
function signatureFor(floor: Floor, wanted: string): Signature {
  const colon = wanted.lastIndexOf(':');
  if (colon > 0) return floor.models.find(wanted.slice(0, colon), wanted.slice(colon + 1));
  if (wanted !== '' && !/^\d+$/.test(wanted)) return floor.models.find(wanted, '');
  const byDefault = floor.options.defaultModel;
  if (byDefault === '') {
    const meaning = errors.MODEL_UNKNOWN.meaning;
    throw new SignalboxError(
      'MODEL_UNKNOWN',
      `no default model is configured: name one in model_version ("model" or "model:version"). ${meaning}`,
    );
  }
  const [model = '', version = ''] = byDefault.split(':');
  if (wanted !== '' && version !== '' && wanted !== version) {
    throw invalidInput(
      `the default model is ${quote(byDefault)}, version ${quote(wanted)} of it is not served here`,
    );
  }
  return floor.models.find(model, wanted === '' ? version : wanted);
}
