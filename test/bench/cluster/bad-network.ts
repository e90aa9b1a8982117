// Loopback with a bad network in between: everything that nodes say to one another goes through relays, which hold it back
// as a slow network and one that loses packets do. Needs nothing of the system.
import { freePort } from '../../nats/server.js';
import { Relay } from '../../post/relay.js';
import { type Ground, loopback, type Room } from './fleet.js';

export class BadNetwork implements Ground {
  readonly natsHost = loopback.natsHost;
  private readonly relays: Relay[] = [];

  async room(...[kind, number]: Parameters<Ground['room']>): Promise<Room> {
    const room = await loopback.room(kind, number);
    const advertise = async (endpoint: string): Promise<string> => {
      const relay = await Relay.to({ host: room.address, port: Number(endpoint.split(':').at(-1)) });
      this.relays.push(relay);
      return relay.endpoint;
    };
    return { ...room, port: () => freePort(room.address), advertise };
  }

  set({ delayMs = 0, lossShare = 0 }: { delayMs?: number; lossShare?: number }): void {
    for (const relay of this.relays) {
      relay.delayMs = delayMs;
      relay.lossShare = lossShare;
    }
  }

  async remove(): Promise<void> {
    await Promise.all(this.relays.map((relay) => relay.close()));
  }
}
