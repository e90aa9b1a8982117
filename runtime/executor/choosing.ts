// On which device a model is loaded: the one that it is meant to have, or with `auto` the best that takes it. Another
// instead only where its owner allows that, and then it is said.
import { isBuiltIn } from '../models/backend.js';
import type { ModelEntry } from '../models/entry.js';
import { type Device, devicesFor, type Fallback, readDevice, type WantedDevice } from './device.js';
import type { Devices } from './devices.js';
import type { Loaded } from './executor.js';

/** How a process is set up, where a model's owner says nothing else. */
export interface Wish {
  readonly device: WantedDevice;
  readonly fallback: Fallback;
}

export type LoadOn = (device: Device) => Promise<Loaded>;

export async function loadOnBest(
  { config }: ModelEntry,
  usual: Wish,
  devices: Devices,
  loadOn: LoadOn,
): Promise<Loaded> {
  const wanted = config.device === undefined ? usual.device : readDevice(config.device);
  const { backend, fallback = usual.fallback } = config;
  if (backend !== 'onnxruntime') return loadElse(backend, wanted, loadOn);
  const passed: string[] = [];
  for (const device of devicesFor(wanted)) {
    const unfit = await devices.unfit(device, wanted === 'auto');
    const loaded = unfit === '' ? await loadOn(device) : undefined;
    // On the CPU it is the model's own fault; a device that answers wrong is dealt with as one that is sick.
    if (loaded?.ok || loaded?.suspect || (loaded && device === 'cpu')) return loaded;
    passed.push(`${device}: ${loaded?.reason ?? unfit}`);
  }
  const why = passed.join('; ');
  if (fallback === 'none')
    return {
      ok: false,
      reason: `it can't have its device ${why}. Mend that, or allow the CPU with fallback: cpu`,
    };
  const loaded = await loadOn('cpu');
  return loaded.ok ? { ...loaded, runsOn: `cpu (fallback from ${why})`, fallback: why } : loaded;
}

/** Only ONNX Runtime has other devices; what a backend of somebody's own does with what it is told nobody else knows. */
async function loadElse(backend: string, wanted: WantedDevice, loadOn: LoadOn): Promise<Loaded> {
  if (isBuiltIn(backend)) return loadOn('cpu');
  const loaded = await loadOn(wanted === 'auto' ? 'cpu' : wanted);
  return loaded.ok ? { ...loaded, runsOn: 'its own backend' } : loaded;
}
