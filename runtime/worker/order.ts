// What a node tells a worker process that it starts, as one argument, and the few words that they exchange after that.
import type { Waiting } from '../../actors/worker/readiness.js';
import type { MemberId } from '../../proto/ids.js';
import type { Cause, Said } from '../../proto/messages.js';
import type { Fallback, WantedDevice } from '../executor/device.js';
import type { KeysKnown } from '../keys/ring.js';
import type { LogLevel } from '../log.js';
import type { ModelEntry } from '../models/entry.js';
import type { LoadRisks } from '../supervise/load-deaths.js';
import type { Listed } from '../supervise/outcomes.js';

export interface WorkerOrder {
  readonly member: MemberId;
  readonly name: string;
  readonly host: MemberId;
  readonly cluster: string;
  readonly join: readonly string[];
  /** Beside those that it gives itself. */
  readonly tags: readonly string[];
  /** Where what was measured of models is kept; empty: nowhere. */
  readonly cacheFolder: string;
  readonly device: WantedDevice;
  readonly fallback: Fallback;
  readonly threadCount: number;
  readonly inlineCreditCount: number;
  readonly threadCreditCount: number;
  readonly runMaxMs: number;
  readonly probeEveryMs: number;
  /** What models may take of its memory; 0: whatever they want. */
  readonly modelMemoryMb: number;
  readonly beatMs: number;
  readonly logLevel: LogLevel;
}

/** From the node: the first that it says is what models there are, and again when that changes. */
export type NodeWord =
  | { readonly type: 'drain' }
  /** It is to stand by, or is wanted again. */
  | { readonly type: 'vacate'; readonly away: boolean }
  /** Where there is no founder to say it: who else is there. */
  | { readonly type: 'members'; readonly listed: Said<'members.listed'> }
  /** Never as an argument or in the environment, where others could read the secret. */
  | { readonly type: 'keys'; readonly known: KeysKnown }
  | { readonly type: 'risks'; readonly risks: LoadRisks }
  | { readonly type: 'models'; readonly models: readonly ModelEntry[] };

/** From the worker: what it computes on. */
export interface Introduction {
  readonly type: 'introduced';
  readonly device: string;
}

/** From the worker: why it ends itself, and whether what it ran may be to blame (hung) or not (stopped). */
export interface LastWord {
  readonly type: 'aborting';
  readonly reason: string;
  readonly cause: Extract<Cause, 'hung' | 'stopped'>;
  /** The model whose loading came to no end; empty or missing: that is not why. */
  readonly loading?: string;
}

export type WorkerWord =
  | Introduction
  /** A model whose files are others than when they were listed. */
  | { readonly type: 'outdated'; readonly model: string }
  | LastWord
  /** It stands by and has nothing left, or it takes work again. */
  | { readonly type: 'vacated'; readonly vacant: boolean }
  /** What it still waits for before it has all that it is to have; empty: nothing. */
  | ({ readonly type: 'waiting' } & Waiting)
  /** It has heard what models there are. */
  | ({ readonly type: 'listed' } & Listed)
  /** A model that is about to be loaded, and one with which that has come to an end. */
  | { readonly type: 'loading'; readonly key: string; readonly isBusy: boolean }
  /** It is out of its memory. */
  | { readonly type: 'unloaded'; readonly key: string }
  /** While it loads, it begins to run something. */
  | { readonly type: 'ran' }
  /** Empty: well. */
  | { readonly type: 'loaded'; readonly key: string; readonly reason: string };
