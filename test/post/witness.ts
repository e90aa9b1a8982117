// Remembers what a transport or an office told, and waits for it, so that tests await events and never sleep.
import { after } from '../../runtime/clock.js';
import type { LinkId, TransportEvents } from '../../runtime/post/transport.js';

export class Waiting {
  readonly #waiters = new Set<() => void>();

  /** Called after whatever may have made a condition true. */
  protected changed(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  until(condition: () => boolean, what: string, withinMs = 8000): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = after(withinMs, () => {
        this.#waiters.delete(look);
        reject(new Error(`waited ${withinMs} ms in vain: ${what}`));
      });
      const look = (): void => {
        if (!condition()) return;
        this.#waiters.delete(look);
        late.cancel();
        resolve();
      };
      this.#waiters.add(look);
      look();
    });
  }
}

export class Witness extends Waiting implements TransportEvents {
  readonly deliveries: { link: LinkId; frames: readonly Uint8Array[] }[] = [];
  readonly openings: LinkId[] = [];
  readonly losses: { link: LinkId; reason: string }[] = [];
  /** May answer at once. */
  whenReceived: ((link: LinkId, frames: readonly Uint8Array[]) => void) | undefined;

  received(link: LinkId, frames: readonly Uint8Array[]): void {
    this.deliveries.push({ link, frames });
    this.whenReceived?.(link, frames);
    this.changed();
  }

  opened(link: LinkId): void {
    this.openings.push(link);
    this.changed();
  }

  lost(link: LinkId, reason: string): void {
    this.losses.push({ link, reason });
    this.changed();
  }

  opening(count = 1): Promise<void> {
    return this.until(() => this.openings.length >= count, `${count} links open`);
  }

  delivery(count = 1): Promise<void> {
    return this.until(() => this.deliveries.length >= count, `${count} deliveries`);
  }

  loss(count = 1): Promise<void> {
    return this.until(() => this.losses.length >= count, `${count} links lost`);
  }
}
