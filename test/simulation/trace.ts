// What happened in a simulated run, step by step: as lines when somebody wants to read them, else only as a hash by
// which two runs are compared.
import type { Heard } from '../../actors/actor.js';
import type { Effect } from '../../actors/effects.js';

export class Trace {
  readonly lines: string[] = [];
  steps = 0;
  private readonly wordy: boolean;
  private value = 0x811c9dc5;

  constructor(wordy: boolean) {
    this.wordy = wordy;
  }

  get hash(): string {
    return (this.value >>> 0).toString(16).padStart(8, '0');
  }

  heard(
    now: number,
    process: string,
    actor: string,
    heard: Heard,
    from: string,
    effects: readonly Effect[],
  ): void {
    this.steps++;
    const { type } = heard;
    this.mix(Math.round(now * 1000));
    this.mix(process.charCodeAt(0) + process.charCodeAt(process.length - 1) * 256 + process.length * 65_536);
    this.mix(type.charCodeAt(0) + type.charCodeAt(type.length - 1) * 256 + type.length * 65_536);
    this.mix(effects.length);
    if (!this.wordy) return;
    this.lines.push(`${now.toFixed(3)} ${process} ${actor} hears from ${from}: ${shown(heard)}`);
    for (const effect of effects) this.lines.push(`    -> ${shown(effect)}`);
  }

  /** Something that the world does, outside the actors. */
  happened(now: number, event: string): void {
    this.mix(Math.round(now * 1000) ^ event.length);
    if (this.wordy) this.lines.push(`${now.toFixed(3)} * ${event}`);
  }

  private mix(value: number): void {
    this.value = Math.imul(this.value ^ value, 0x01000193);
    this.value ^= this.value >>> 13;
  }
}

function shown(thing: object): string {
  return JSON.stringify(thing, (key, value) => (key === 'record' ? undefined : value));
}
