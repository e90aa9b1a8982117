// From the one configuration to what each part is given.
import type { SuspicionSettings } from '../../actors/peer/suspicion.js';
import type { RouterLimits } from '../../actors/router/router.js';
import type { SchedulerSettings } from '../../actors/scheduler/scheduler.js';
import type { SupervisorSettings } from '../../actors/supervisor/supervisor.js';
import { ownCacheFolder } from '../config/places.js';
import type { Config } from '../config/schema.js';
import { type DoorOptions, doorDefaults } from '../doors/door.js';
import { readDevice } from '../executor/device.js';
import { version } from '../version.js';
import type { WorkerOrder } from '../worker/order.js';

const joinBytesMax = 64 * 1024;
const reconcileMs = 400;

export function routerLimits(config: Config): RouterLimits {
  const { jobsMax, payloadBytesMax, lossesMax, attemptsMax, sharersMax } = config;
  const { retryShare, retryPerSecond, hedgeShare } = config;
  const bounds = { jobsMax, payloadBytesMax, lossesMax, attemptsMax, sharersMax };
  return { ...bounds, retryShare, retryPerSecond, hedgeShare, joinBytesMax };
}

export function schedulerSettings(config: Config): SchedulerSettings {
  return {
    lane: { depthMax: config.queueDepthMax, bytesMax: config.queueBytesMax },
    choice: config.workerChoice,
    admission: config.admission === 'on',
    reconcileMs,
  };
}

export function suspicionSettings(config: Config): SuspicionSettings {
  const { beatMs, suspectPhi, downPhi } = config;
  return {
    tickMs: beatMs / 2,
    suspectPhi,
    downPhi,
    gapLeastMs: beatMs,
    gapMostMs: beatMs * 1.4,
    firstBeatMs: 5000,
  };
}

export function supervisorSettings(config: Config, names: readonly string[]): SupervisorSettings {
  return {
    names,
    restart: {
      restartsMax: config.restartsMax,
      windowMs: config.restartWindowMs,
      backoffFirstMs: 100,
      backoffMostMs: 10_000,
      usefulAfterMs: 2000,
    },
    hungKillMs: config.hungKillMs,
  };
}

export function workerOrder(
  config: Config,
  slot: number,
  who: Pick<WorkerOrder, 'member' | 'name' | 'host' | 'join'>,
): WorkerOrder {
  const devices = config.device.split(',');
  const { cluster, threadCount, inlineCreditCount, threadCreditCount, beatMs, logLevel } = config;
  return {
    ...who,
    cluster,
    cacheFolder: config.cacheFolder || ownCacheFolder(),
    device: readDevice(devices[slot % devices.length] as string),
    fallback: config.fallback,
    threadCount,
    inlineCreditCount,
    threadCreditCount,
    tags: config.workerTags === '' ? [] : config.workerTags.split(','),
    runMaxMs: config.runLongestMs,
    probeEveryMs: config.probeEveryMs,
    modelMemoryMb: config.modelMemoryMb,
    beatMs,
    logLevel,
  };
}

export function doorOptions(config: Config): DoorOptions {
  return {
    ...doorDefaults,
    host: config.host,
    serverVersion: version,
    requestBytesMax: config.requestBytesMax,
    deadlineDefaultMs: config.deadlineDefaultMs,
    deadlineMaxMs: config.deadlineLongestMs,
    streamInFlightMax: config.streamInFlightMax,
    defaultModel: config.defaultModel,
    bodyTimeoutMs: config.bodyWaitMs,
  };
}
