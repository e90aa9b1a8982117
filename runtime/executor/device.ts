// The devices that models run on, by the names that people write: which there are, and in which order `auto` tries them.

export const deviceKinds = ['cpu', 'webgpu', 'cuda', 'tensorrt'] as const;
export type DeviceKind = (typeof deviceKinds)[number];

/** `cuda:1` is the second card; `cuda` the first. */
export type Device = 'cpu' | 'webgpu' | `cuda:${number}` | `tensorrt:${number}`;
export type WantedDevice = Device | 'auto';

export const deviceWanted = 'cpu, webgpu, cuda:N, tensorrt:N (N from 0 to 63; 0 without it) or auto';
export const devicePattern = /^(?:auto|cpu|webgpu|(?:cuda|tensorrt)(?::(?:[0-9]|[1-5][0-9]|6[0-3]))?)$/;

export const fallbacks = ['none', 'cpu'] as const;
export type Fallback = (typeof fallbacks)[number];

/** The best first. The CPU is always there. */
const autoOrder: readonly Device[] = ['tensorrt:0', 'cuda:0', 'webgpu', 'cpu'];

/** As `devicePattern` has it. */
export function readDevice(text: string): WantedDevice {
  return (text === 'cuda' || text === 'tensorrt' ? `${text}:0` : text) as WantedDevice;
}

export function kindOf(device: Device): DeviceKind {
  return device.split(':')[0] as DeviceKind;
}

/** Of a device that has several: which. */
export function numberOf(device: Device): number {
  return Number(device.split(':')[1] ?? 0);
}

export function devicesFor(wanted: WantedDevice): readonly Device[] {
  return wanted === 'auto' ? autoOrder : [wanted];
}
