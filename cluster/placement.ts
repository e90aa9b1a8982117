// Which nodes are to have a model: every node decides that for itself, and all who see the same nodes decide the same. A
// node that comes or goes moves no more than what has to move.
import { type MemberId, nameOf } from '../proto/ids.js';
import { weightOf } from '../proto/rendezvous.js';
import { tagsOf } from '../proto/tags.js';
import { type Spread, shortDigest } from './manifest.js';
import type { NodeRecord } from './record.js';

/** How far a node is with a version that it is to have. */
export const holdingStates = ['fetching', 'loading', 'ready', 'failed'] as const;
export type HoldingState = (typeof holdingStates)[number];

/** A version of the store on a node. */
export interface Holding {
  readonly model: string;
  readonly version: string;
  /** Its content, in short. */
  readonly content: string;
  readonly state: HoldingState;
  /** Where it failed: why. */
  readonly reason: string;
}

export type Place = Pick<NodeRecord, 'member' | 'state' | 'labels' | 'machine' | 'workers' | 'holdings'>;

/** What a node holds is asked of it for each model in turn: with many of both a search of the list is what takes the time. */
const indexes = new WeakMap<readonly Holding[], ReadonlyMap<string, Holding>>();

interface Ranked {
  readonly place: Place;
  readonly weight: number;
}

export interface Wanted {
  readonly model: string;
  readonly version: string;
  readonly digest: string;
  readonly spread: Spread;
}

/** Nodes that are to have it, the first choice first. */
export function holdersOf(wanted: Wanted, places: readonly Place[]): MemberId[] {
  return holdingPlaces(wanted, places).map(({ member }) => member.id);
}

function holdingPlaces(wanted: Wanted, places: readonly Place[]): Place[] {
  const { spread } = wanted;
  const fit = places.filter((place) => fits(spread, place));
  // Whoever could not load it is passed by, unless nobody else is left.
  const able = fit.filter((place) => holdingOf(wanted, place)?.state !== 'failed');
  const ranked = (able.length === 0 ? fit : able).map((place) => ({ place, weight: rankOf(wanted, place) }));
  const { replicas } = spread;
  return (replicas === 0 ? ranked.sort(byRank) : firstOf(ranked, replicas)).map(({ place }) => place);
}

/** Of very many a few: without sorting them all. */
function firstOf(ranked: readonly Ranked[], count: number): Ranked[] {
  const first: Ranked[] = [];
  for (const one of ranked) {
    const last = first[count - 1];
    if (last !== undefined && byRank(last, one) < 0) continue;
    let at = Math.min(first.length, count - 1);
    for (; at > 0 && byRank(one, first[at - 1] as Ranked) < 0; at--) first[at] = first[at - 1] as Ranked;
    first[at] = one;
  }
  return first;
}

function byRank(one: Ranked, other: Ranked): number {
  return other.weight - one.weight || (one.place.member.id < other.place.member.id ? -1 : 1);
}

/** Whether a node that is not to have it any more may let it go: everybody who is to have it has it ready. */
export function isCovered(wanted: Wanted, holders: readonly MemberId[], places: readonly Place[]): boolean {
  if (holders.length === 0) return false;
  return holders.every((holder) => {
    const place = places.find(({ member }) => member.id === holder);
    return place !== undefined && holdingOf(wanted, place)?.state === 'ready';
  });
}

/** Whether somebody of them is to have it and does not have it yet, and may still get it. */
export function isUnderWay(wanted: Wanted, places: readonly Place[]): boolean {
  return holdingPlaces(wanted, places).some((place) => {
    const state = holdingOf(wanted, place)?.state;
    return state !== 'ready' && state !== 'failed';
  });
}

/** Why no workers have it yet, for people; empty where that can't be seen here. */
export function whyNowhere(wanted: Wanted, places: readonly Place[]): string {
  const holders = holdersOf(wanted, places);
  const { needs } = wanted.spread;
  if (holders.length === 0)
    return `no node of the cluster takes it: wanted is a worker${needs.length === 0 ? '' : ` with ${needs.join(', ')}`}`;
  const told = places.flatMap((place) => {
    const { state = '', reason = '' } = holdingOf(wanted, place) ?? {};
    if (state === 'fetching') return [`${place.member.id} fetches it`];
    return state === 'failed' ? [`${place.member.id} can't have it: ${reason}`] : [];
  });
  return told.join('; ') || `it is to come to ${holders.join(', ')}`;
}

/** Whether a worker of it has, or may come to have, every tag that is needed; one that drains takes nothing new. */
export function fits({ needs }: Spread, { state, labels, machine, workers }: Place): boolean {
  if (state === 'draining' || state === 'drained' || workers.length === 0) return false;
  if (needs.length === 0) return true;
  return workers.some(({ device }) => {
    const tags = tagsOf(labels, device, machine);
    return needs.every((tag) => tags.includes(tag));
  });
}

export function holdingOf({ model, version, digest }: Wanted, { holdings }: Place): Holding | undefined {
  if (holdings === undefined || holdings.length === 0) return undefined;
  let versions = indexes.get(holdings);
  if (versions === undefined) {
    versions = new Map(holdings.map((holding) => [keyOf(holding, holding.content), holding]));
    indexes.set(holdings, versions);
  }
  return versions.get(keyOf({ model, version }, shortDigest(digest)));
}

function keyOf({ model, version }: Pick<Holding, 'model' | 'version'>, content: string): string {
  return `${model}:${version}+${content}`;
}

/** By machine and name, not by id: a node that is started again finds what it had. */
function rankOf({ model, version }: Wanted, { member, machine }: Place): number {
  return weightOf(`${model}:${version}`, `${machine}/${nameOf(member.id)}`);
}
