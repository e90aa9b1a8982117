// ModelInfer and ModelStreamInfer: a request becomes a job, the job's end an answer or a refusal.
import { errors } from '../../../proto/errors.js';
import {
  type DoorLog,
  type DoorOptions,
  pathText,
  refusalOf,
  refusalOfAnswer,
  retryAfterMs,
} from '../door.js';
import type { Answer, Engine, Ticket } from '../engine.js';
import type { Flight } from '../flight.js';
import type { Models } from '../models.js';
import type { InferRequest } from '../request.js';
import type { Signature } from '../signature.js';
import { submissionOf } from '../submission.js';
import { AnswerHeads, InferAnswer, type Message, streamRefusal } from './infer-answer.js';
import { decodeInferRequest } from './infer-request.js';
import type { Call, StreamCall, Trailers, UnaryCall } from './server.js';

export interface Floor {
  readonly engine: Engine;
  readonly options: DoorOptions;
  readonly log: DoorLog;
  readonly models: Models;
  readonly flight: Flight;
}

const heads = new AnswerHeads();
/** So much before the client gives up an answer must leave, for it to learn from us where its request waited. */
const headStartMs = 3;
const headStartShare = 0.05;

function modelOf({ models }: Floor, { model, version, parameters }: InferRequest): Signature {
  return models.chosen(models.find(model, version), parameters);
}

export function inferUnary(floor: Floor, call: UnaryCall): void {
  const { engine, log, flight } = floor;
  try {
    const request = decodeInferRequest(call.request);
    const signature = modelOf(floor, request);
    const submission = submissionOf(signature, request, budgetMs(call), floor);
    let over = false;
    const land = flight.enter();
    const ticket = engine.submit(submission, (answer) => {
      over = true;
      if (call.isGone()) land();
      if (answer.end.ending !== 'completed') {
        call.refuse(refusalOfAnswer(answer));
        return;
      }
      const head = heads.head(signature.model, signature.version, answer.outputs);
      call.answer(new InferAnswer(head, request.id, answer.outputs, false), trace(call, answer));
    });
    // Until its answer is out a job that has ended is under way.
    call.onCancelled(() => {
      if (over) land();
      else giveUp(call, ticket);
    });
  } catch (fault) {
    call.refuse(refusalOf(fault, log));
  }
}

/** Answers come as jobs end and carry the ids of their requests; so many at a time and no more are taken. */
export function inferStream(floor: Floor, call: StreamCall): void {
  const { engine, log, flight, options } = floor;
  const tickets = new Set<Ticket>();
  const unsent = new Set<() => void>();
  let open = 0;
  let ended = false;

  function send(message: Message, land: () => void = () => {}): void {
    if (call.isGone()) land();
    else unsent.add(land);
    call.write(message, () => {
      unsent.delete(land);
      land();
      open--;
      if (ended && open === 0) call.end();
      else if (open === options.streamInFlightMax - 1) call.resume();
    });
  }

  call.onRequest((bytes) => {
    open++;
    if (open >= options.streamInFlightMax) call.pause();
    let id = '';
    try {
      const request = decodeInferRequest(bytes);
      id = request.id;
      const signature = modelOf(floor, request);
      const submission = submissionOf(signature, request, budgetMs(call), floor);
      const land = flight.enter();
      const ticket: Ticket = engine.submit(submission, (answer) => {
        tickets.delete(ticket);
        if (answer.end.ending !== 'completed') send(refusalMessage(refusalOfAnswer(answer), id), land);
        else {
          const head = heads.head(signature.model, signature.version, answer.outputs);
          send(new InferAnswer(head, id, answer.outputs, true), land);
        }
      });
      tickets.add(ticket);
    } catch (fault) {
      send(refusalMessage(refusalOf(fault, log), id));
    }
  });
  call.onEnd(() => {
    ended = true;
    if (open === 0) call.end();
  });
  call.onCancelled(() => {
    for (const ticket of tickets) giveUp(call, ticket);
    for (const land of unsent) land();
  });
}

/** What is left of the client's deadline, less the head start. */
export function budgetMs(call: Call): number {
  const leftMs = call.leftMs();
  if (leftMs === Number.POSITIVE_INFINITY || leftMs <= 0) return leftMs;
  return leftMs - Math.min(headStartMs, leftMs * headStartShare);
}

/** A deadline that passes ends the job by itself, and as expired. */
export function giveUp(call: Call, ticket: Ticket): void {
  if (call.leftMs() > headStartMs) ticket.cancel('the client cancelled or went away');
}

function trace(call: Call, answer: Answer): Trailers | undefined {
  if (call.header('signalbox-trace') !== '1') return undefined;
  return [
    ['signalbox-job', answer.jobId],
    ['signalbox-path', pathText(answer.path())],
  ];
}

function refusalMessage(refusal: ReturnType<typeof refusalOf>, id: string): Message {
  const againMs = errors[refusal.code].retryable ? retryAfterMs(refusal) : 0;
  const when = againMs > 0 ? ` (try again in ${againMs} ms)` : '';
  return streamRefusal(`${refusal.code}: ${refusal.message}${when}`, id);
}
