// The one table of everything that can be refused or fail: the code, whether trying again may help, and what gRPC and
// HTTP say for it. Codes are stable: clients and dashboards may rely on them.

export interface ErrorRow {
  /** Trying the same request again may succeed. */
  readonly retryable: boolean;
  readonly grpc: GrpcStatus;
  readonly http: number;
  readonly meaning: string;
}

export const grpcStatus = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

export type GrpcStatus = keyof typeof grpcStatus;

export const errors = {
  INPUT_INVALID: row(false, 'INVALID_ARGUMENT', 400, 'The request does not fit the model or the protocol.'),
  MODEL_UNKNOWN: row(false, 'NOT_FOUND', 404, 'No model of that name and version is in the repository.'),
  MODEL_UNAVAILABLE: row(true, 'UNAVAILABLE', 503, 'The model is in the repository but could not be loaded.'),
  MODEL_INVALID: row(
    false,
    'INVALID_ARGUMENT',
    400,
    "The model's folder is not in order: nothing of it was pushed.",
  ),
  STORE_UNREACHABLE: row(true, 'UNAVAILABLE', 503, "The cluster's store of models can't be used."),
  STORE_CONFLICT: row(
    false,
    'ABORTED',
    409,
    'The store has something else under that name, or it was changed by somebody meanwhile.',
  ),
  PATH_UNKNOWN: row(false, 'NOT_FOUND', 404, 'Nothing is served under that path.'),
  METHOD_WRONG: row(false, 'UNIMPLEMENTED', 405, 'The path exists but takes another HTTP method.'),
  ORIGIN_FOREIGN: row(
    false,
    'PERMISSION_DENIED',
    403,
    'A web page of another origin may not change what runs here.',
  ),
  PAYLOAD_TOO_LARGE: row(
    false,
    'RESOURCE_EXHAUSTED',
    413,
    'The request is larger than the configured bound.',
  ),
  BODY_LATE: row(true, 'DEADLINE_EXCEEDED', 408, 'The body of the request did not arrive in time.'),
  QUEUE_FULL: row(true, 'RESOURCE_EXHAUSTED', 429, 'The queue for the model or the router is at its bound.'),
  OVERLOADED: row(
    true,
    'RESOURCE_EXHAUSTED',
    429,
    'The request could not be answered within its deadline beside what waits already.',
  ),
  DISPLACED: row(
    true,
    'RESOURCE_EXHAUSTED',
    429,
    'The request gave way to others of higher priority before it had started.',
  ),
  DRAINING: row(true, 'UNAVAILABLE', 503, 'The node is shutting down and takes no new work.'),
  DEADLINE_EXCEEDED: row(true, 'DEADLINE_EXCEEDED', 504, 'The deadline passed before there was an answer.'),
  DEADLINE_PAST: row(
    false,
    'DEADLINE_EXCEEDED',
    504,
    'The deadline had passed already when the request came in.',
  ),
  CANCELLED: row(false, 'CANCELLED', 499, 'The client cancelled the request or went away.'),
  NODE_STOPPED: row(true, 'UNAVAILABLE', 503, 'The node stopped before the request was done.'),
  MODEL_FAILED: row(false, 'INTERNAL', 500, 'The model itself failed on this input.'),
  RESULT_INVALID: row(
    true,
    'INTERNAL',
    500,
    'The model answered with the wrong shape or size, or with numbers that are not finite where it must not.',
  ),
  DEVICE_LOST: row(true, 'UNAVAILABLE', 503, 'The device under the model failed on every attempt.'),
  JOB_POISONED: row(
    false,
    'INTERNAL',
    500,
    'The request ended two workers that ran it; it is not tried again.',
  ),
  WORKERS_LOST: row(true, 'UNAVAILABLE', 503, 'Every worker that was given the job was lost.'),
  RETRIES_SPENT: row(
    true,
    'UNAVAILABLE',
    503,
    'The worker failed, and neither the time left nor the budget of retries allowed another try.',
  ),
  RUN_LOST: row(
    false,
    'ABORTED',
    502,
    'The worker was lost during the run, and the model is not to be run twice for one request.',
  ),
  NODE_UNKNOWN: row(false, 'NOT_FOUND', 404, 'No node of that name is in the cluster, or more than one is.'),
  NODE_NEEDED: row(
    false,
    'ABORTED',
    409,
    'The node is the last that can do what it does, or that has a model: it is drained only by force.',
  ),
  NODE_UNREACHABLE: row(
    true,
    'UNAVAILABLE',
    503,
    'The node, or who is asked before it is drained, is listed but does not answer the router.',
  ),
  UNSUPPORTED: row(false, 'UNIMPLEMENTED', 501, 'The protocol has this, this server does not.'),
  INTERNAL: row(true, 'INTERNAL', 500, 'A fault of the server itself; the log has the details.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errors;

export const errorCodes = Object.keys(errors) as ErrorCode[];

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(errors, value);
}

/** An error that is meant for the person who asked: a code of the table and a sentence of their case. */
export class SignalboxError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, message: string, retryAfterMs = 0) {
    super(message);
    this.name = 'SignalboxError';
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

function row(retryable: boolean, grpc: GrpcStatus, http: number, meaning: string): ErrorRow {
  return { retryable, grpc, http, meaning };
}
