// Machines of their own as far as the network goes: each in a network namespace, all wired to one bridge. Cables can be
// pulled, words in one direction can be made to reach nobody, and a cable can be of the kind that has faults.
import type { Faults } from '../../network/faults.js';
import { ip, prefix, quietly } from '../../network/ip.js';
import { type Link, lay } from '../../network/link.js';
import type { Ground, Kind, Place, Room } from './fleet.js';

/** Meant for measurements, so nobody's network; by process, so that two runs don't meet. */
const subnet = `198.18.${process.pid % 250}`;
const nobodysCard = '02:00:00:00:00:99';
const firstPort = 7000;

/** Whatever is still there when this process ends is taken away with it. */
const made = new Set<NamespaceGround>();
process.on('exit', () => {
  for (const ground of made) ground.clear();
});

export class NamespaceGround implements Ground {
  readonly natsHost = `${subnet}.1`;
  private readonly names: string[] = [];
  private readonly spaces = new Map<string, string>();
  private readonly links = new Map<string, Link>();
  private readonly isFaulty: (kind: Kind, number: number) => boolean;

  /** Whose cables can be given faults. */
  constructor(isFaulty: NamespaceGround['isFaulty'] = () => false) {
    this.isFaulty = isFaulty;
    made.add(this);
    ip('link', 'add', prefix, 'type', 'bridge');
    ip('addr', 'add', `${this.natsHost}/24`, 'dev', prefix);
    ip('link', 'set', prefix, 'up');
  }

  async room(kind: Kind, number: number): Promise<Room> {
    const name = `${prefix}${kind[0]}${number}`;
    this.names.push(name);
    const address = `${subnet}.${10 + this.names.length}`;
    this.spaces.set(`${kind}-${number}`, name);
    ip('netns', 'add', name);
    const ends = { near: name, space: name };
    if (this.isFaulty(kind, number)) this.links.set(`${kind}-${number}`, await lay(ends));
    else ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('link', 'set', name, 'master', prefix, 'up');
    ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
    ip('-n', name, 'link', 'set', 'lo', 'up');
    let port = firstPort;
    const options = { within: name, environment: { SIGNALBOX_INSECURE: 'true' } };
    return { address, port: async () => port++, options };
  }

  /** Its cable is out: nobody hears it, it hears nobody, and nobody is told. */
  pull(place: Place): void {
    ip('link', 'set', this.nameOf(place), 'down');
  }

  plug(place: Place): void {
    ip('link', 'set', this.nameOf(place), 'up');
  }

  /** What the one says does not reach the other; the other way is open. */
  deafen(speaker: Place, listener: Place): void {
    const neighbour = [listener.address, 'lladdr', nobodysCard, 'dev', 'eth0', 'nud', 'permanent'];
    ip('-n', this.nameOf(speaker), 'neigh', 'replace', ...neighbour);
  }

  mend(speaker: Place, listener: Place): void {
    ip('-n', this.nameOf(speaker), 'neigh', 'del', listener.address, 'dev', 'eth0');
  }

  /** What becomes of packets on its cable from now on. */
  async spoil({ name }: Place, faults: Faults): Promise<void> {
    await this.links.get(name)?.set(faults);
  }

  spaceOf(place: Place): { readonly space: string; readonly address: string } {
    return { space: this.nameOf(place), address: place.address };
  }

  async remove(): Promise<void> {
    this.clear();
  }

  clear(): void {
    made.delete(this);
    for (const link of this.links.values()) link.remove();
    for (const name of this.names.splice(0)) {
      // The kernel takes its time with what a namespace held, and the next one wants the name.
      quietly(ip, 'link', 'del', name);
      quietly(ip, 'netns', 'del', name);
    }
    quietly(ip, 'link', 'del', prefix);
  }

  private nameOf({ name }: Place): string {
    return this.spaces.get(name) ?? name;
  }
}
