// A process that tries one device and tells how it went: with a driver that is no good it may hang or break down.
import type { Device } from './device.js';
import type { Probed } from './devices.js';

// Whoever asked has gone.
process.on('disconnect', () => process.exit(1));

const { tryDevice } = await import('./backends/onnxruntime.js');
const device = process.argv[2] as Device;
let told: Probed;
try {
  const cpuMs = await tryDevice('cpu');
  told = { ok: true, ms: await tryDevice(device), cpuMs };
} catch (error) {
  told = { ok: false, reason: error instanceof Error ? error.message : String(error) };
}
process.send?.(told, () => process.exit(0));
