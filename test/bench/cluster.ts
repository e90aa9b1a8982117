// A cluster of three NATS servers, two routers, two schedulers and four workers under load, all of them killed, frozen,
// cut off from NATS and started again in turn: what clients notice, and how soon all is as it was. They ask the other router
// when a connection to one that was killed breaks, or one that was stopped takes none; nothing else is forgiven.
import { skip } from '../nats/at-hand.js';
import { skip as noNamespaces } from '../network/ip.js';
import { skip as noFaults } from '../network/link.js';
import { type BadLinks, spoilInTurn } from './cluster/bad-links.js';
import { Clients, type Tally } from './cluster/clients.js';
import { type Cuts, cutInTurn } from './cluster/cuts.js';
import { Fleet } from './cluster/fleet.js';
import { Losses } from './cluster/losses.js';
import { loseNats, type Outage } from './cluster/outages.js';
import { type Restarts, restartAll, type Stage, strikeInTurn } from './cluster/rounds.js';
import { type Args, median, quantile, say } from './figures.js';

export const about =
  'a cluster on NATS: each node killed, frozen and restarted under load, NATS lost and back';
export const flags = {
  rounds: 'rounds of one SIGKILL and one SIGSTOP each, in turn (20)',
  'outage-s': 'seconds for which all of NATS is gone (60)',
  cuts: 'partitions of the network, where this is root (12)',
  links: 'links that lose packets, are late or carry one way only, beside the cuts (12)',
  only: 'only these parts: rounds, outages, restarts, cuts (all)',
};

const size = { nats: 3, routers: 2, schedulers: 2, workers: 4 } as const;
const counts = { unary: 3, rest: 1, streamed: 2 };
const parts = ['rounds', 'outages', 'restarts', 'cuts'] as const;

export async function run(args: Args): Promise<Record<string, number>> {
  if (skip !== false) throw new Error(skip);
  const wanted = partsOf(args.text('only', parts.join()));
  const figures = wanted.size === 1 && wanted.has('cuts') ? {} : await strike(args, wanted);
  if (!wanted.has('cuts')) return figures;
  if (noNamespaces !== false) {
    say(`  no network is parted: ${noNamespaces}`);
    return figures;
  }
  const cuts = figuresOfCuts(await cutInTurn(args.number('cuts', 12), say));
  if (noFaults === false)
    return { ...figures, ...cuts, ...figuresOfLinks(await spoilInTurn(args.number('links', 12), say)) };
  say(`  no link goes bad: ${noFaults}`);
  return { ...figures, ...cuts };
}

async function strike(args: Args, wanted: ReadonlySet<string>): Promise<Record<string, number>> {
  const fleet = await Fleet.start(size);
  try {
    const losses = new Losses();
    const struck: Stage['struck'] = new Map();
    const clients = new Clients(fleet.of('router'), {
      counts,
      forgives: (router) => struck.get(router) ?? 'nothing',
      told: (told) => losses.told(told),
    }).start();
    const stage: Stage = { fleet, clients, losses, struck, say };
    if (wanted.has('rounds')) {
      for (let round = 0; round < args.number('rounds', 20); round++) await strikeInTurn(stage, round);
    }
    const outages = wanted.has('outages') ? await loseNats(stage, args.number('outage-s', 60) * 1000) : [];
    const restarts = wanted.has('restarts') ? await restartAll(stage) : undefined;
    const tally = await clients.stop();
    for (const error of clients.errors) say(`  error: ${error}`);
    return figuresOf(tally, losses, outages, restarts);
  } finally {
    await fleet.remove();
  }
}

function partsOf(given: string): ReadonlySet<string> {
  const wanted = given.split(',');
  const unknown = wanted.find((part) => !parts.some((one) => one === part));
  if (unknown !== undefined) throw new Error(`--only is ${unknown}; there are ${parts.join(', ')}`);
  return new Set(wanted);
}

function figuresOf(
  tally: Tally,
  { killMs, stopMs }: Losses,
  outages: readonly Outage[],
  restarts: Restarts | undefined,
): Record<string, number> {
  const least = Math.min(...outages.map(({ goodput }) => goodput));
  const rate = Math.min(...outages.map(({ rateToBefore }) => rateToBefore));
  const longest = Math.max(...outages.map(({ longestMs }) => longestMs));
  const slowest = Math.max(...outages.map(({ convergenceMs }) => convergenceMs));
  const electing = Math.max(...outages.map(({ electionMs }) => electionMs));
  say(`  re-dispatched: ${killMs.length} jobs after a kill, ${stopMs.length} after a freeze`);
  say(`  second answers are looked for in ${tally.streamed} of ${tally.sent} requests: those by stream`);
  return {
    clientErrors: tally.errors,
    doubleAnswers: tally.doubles,
    lostJobs: tally.lost,
    ...(killMs.length === 0 ? {} : { redispatchKillP99Ms: quantile(killMs, 0.99) }),
    ...(stopMs.length === 0 ? {} : { redispatchStopP99Ms: quantile(stopMs, 0.99) }),
    ...(outages.length === 0
      ? {}
      : {
          natsOutageGoodput: least,
          natsOutageRate: rate,
          natsOutageLongestMs: longest,
          convergenceMs: slowest,
          natsElectionMs: electing,
        }),
    ...(restarts === undefined
      ? {}
      : {
          rollingRestartErrors: restarts.errors,
          drainMs: median(restarts.drainMs),
          joinToUsefulMs: median(restarts.usefulMs),
        }),
    moved: tally.moved,
    requests: tally.sent,
    streamedRequests: tally.streamed,
  };
}

function figuresOfCuts({ errors, doubles, redispatchMs, healedMs }: Cuts): Record<string, number> {
  say(`  re-dispatched: ${redispatchMs.length} jobs after a cut`);
  return {
    partitionErrors: errors,
    partitionDoubles: doubles,
    redispatchCutP99Ms: quantile(redispatchMs, 0.99),
    partitionHealedMs: Math.max(...healedMs),
  };
}

function figuresOfLinks(found: BadLinks): Record<string, number> {
  const { errors, doubles, lost, healedMs, oneBadGoodput, allBadToTcp } = found;
  return {
    badLinkErrors: errors,
    badLinkDoubles: doubles,
    badLinkLost: lost,
    badLinkHealedMs: Math.max(...healedMs),
    ...(oneBadGoodput.length === 0 ? {} : { oneBadLinkGoodput: median(oneBadGoodput) }),
    ...(allBadToTcp.length === 0 ? {} : { allBadLinksToBareTcp: median(allBadToTcp) }),
  };
}
