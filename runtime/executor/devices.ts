// Which devices this process can use: each is tried once, in a process of its own, before any model is loaded there, for a
// driver may hang or break down with all that is around it.
import { fork } from 'node:child_process';
import { after } from '../clock.js';
import { type Device, devicesFor, type WantedDevice } from './device.js';

export type Probed =
  /** Milliseconds of the same product of matrices, there and on the CPU. */
  | { readonly ok: true; readonly ms: number; readonly cpuMs: number }
  | { readonly ok: false; readonly reason: string };

export type ProbeDevice = (device: Device) => Promise<Probed>;

const page = 'runtime/executor/DEVICES.md';
const installCuda = 'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node';
/** Drivers compile what they run, and the machine may be busy. */
const probeLongestMs = 60_000;
const wordsMost = 2000;
/** `auto` leaves a device alone that is slower than the CPU by more: it is a program that stands in for one. */
const slowerMost = 2;

export class Devices {
  readonly #probe: ProbeDevice;
  readonly #probed = new Map<Device, Promise<Probed>>();

  constructor(probe: ProbeDevice = probeApart) {
    this.#probe = probe;
  }

  /** Why models can't have it, in a sentence; empty when they can. `byChoice`: nobody asked for just this one. */
  async unfit(device: Device, byChoice: boolean): Promise<string> {
    if (device === 'cpu') return '';
    const probing = this.#probed.get(device) ?? this.#probe(device);
    this.#probed.set(device, probing);
    const probed = await probing;
    if (!probed.ok) return probed.reason;
    const { ms, cpuMs } = probed;
    if (!byChoice || ms <= cpuMs * slowerMost) return '';
    return `it takes ${ms.toFixed(1)} ms for what the CPU does in ${cpuMs.toFixed(1)} ms, so it is no better (a software adapter?); name it to have it all the same`;
  }

  /** The best that this process can use, with what is the matter with better ones; `none` where there is none. */
  async best(wanted: WantedDevice): Promise<{ readonly device: Device | 'none'; readonly passed: string }> {
    const passed: string[] = [];
    for (const device of devicesFor(wanted)) {
      const reason = await this.unfit(device, wanted === 'auto');
      if (reason === '') return { device, passed: passed.join('; ') };
      passed.push(`${device}: ${reason}`);
    }
    return { device: 'none', passed: passed.join('; ') };
  }
}

function probeApart(device: Device): Promise<Probed> {
  return new Promise((resolve) => {
    const child = fork(new URL('./device-probe.js', import.meta.url), [device], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let words = '';
    let heard: Probed | undefined;
    let isLate = false;
    child.stderr?.on('data', (piece: Buffer) => {
      if (words.length < wordsMost) words += piece.toString();
    });
    child.on('message', (word: Probed) => {
      heard = word;
    });
    const late = after(probeLongestMs, () => {
      isLate = true;
      child.kill('SIGKILL');
    });
    child.once('error', (fault) => finish(`the trial can't be started: ${fault.message}`));
    child.once('close', (_, signal) => {
      finish(
        isLate ? `no answer to a trial within ${probeLongestMs} ms` : `a trial of it ended by ${signal}`,
      );
    });
    function finish(reason: string): void {
      late.cancel();
      if (heard?.ok === true) return resolve(heard);
      const why = heard?.reason ?? reason;
      resolve({ ok: false, reason: [why, ...adviceFor(device, `${words}\n${why}`)].join('; ') });
    }
  });
}

/** What the libraries print beside their errors says more; and what is to be done. */
function adviceFor(device: Device, words: string): string[] {
  const missing = /(lib[\w.-]+\.so[\w.]*|[\w.-]+\.dll): cannot open shared object file/.exec(words)?.[1];
  const lacks = missing === undefined ? [] : [`${missing} can't be loaded`];
  if (/shared library/.test(words)) return [...lacks, `${installCuda} brings its libraries (${page})`];
  if (/Found no drivers/.test(words)) lacks.push('the Vulkan loader finds no driver');
  return device === 'webgpu' && /adapter/.test(words)
    ? [...lacks, `it needs a GPU with a Vulkan driver (${page})`]
    : lacks;
}
