// Worker processes as children of this node: started, listened to, ended; and how each of them ended, as far as the
// system tells.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { WorkerSight } from '../../actors/node/completeness.js';
import type { Waiting } from '../../actors/worker/readiness.js';
import { type MemberId, modelKey } from '../../proto/ids.js';
import type { Cause } from '../../proto/messages.js';
import { after } from '../clock.js';
import { environment } from '../config/environment.js';
import { editionOf } from '../models/entry.js';
import type { LastWord, NodeWord, WorkerOrder, WorkerWord } from '../worker/order.js';
import { LoadDeaths } from './load-deaths.js';
import { MemoryKills } from './memory-kills.js';
import { bestOf, Outcomes, type Standing } from './outcomes.js';

export interface Exit {
  readonly slot: number;
  readonly member: MemberId;
  readonly cause: Cause;
  readonly detail: string;
}

interface Child {
  readonly process: ChildProcess;
  readonly member: MemberId;
  /** Empty until it has said. */
  device: string;
  /** By its own word: it stands by and has nothing left. */
  isVacant: boolean;
  /** What it waits for by its own word. */
  waiting: Waiting;
  /** How far it is with its models. */
  readonly loaded: Outcomes;
  /** What it said of its own end. */
  lastWord: LastWord | undefined;
}

/** ONNX Runtime reports to its makers and leaves files about, unless told not to. Whoever wants that can say so. */
const libraryEnvironment = { ORT_DISABLE_TELEMETRY: '1' };
/** What is unloaded goes back to the system, where else it would stay with the process: large pieces are mapped by themselves. */
const thriftyEnvironment = { MALLOC_MMAP_THRESHOLD_: String(2 ** 20) };

const entry = fileURLToPath(new URL('../worker/main.js', import.meta.url));

export class Children {
  private readonly bySlot = new Map<number, Child>();
  private readonly exited: (exit: Exit) => void;
  private readonly outdated: (model: string) => void;
  private readonly memoryKills = new MemoryKills();
  private readonly loadDeaths = new LoadDeaths();
  private draining = false;
  private areAway = false;

  constructor(exited: (exit: Exit) => void, outdated: (model: string) => void = () => {}) {
    this.exited = exited;
    this.outdated = outdated;
  }

  /** Not once the drain has begun: whoever came then would be left behind. */
  spawn(slot: number, order: WorkerOrder, first: readonly NodeWord[]): void {
    if (this.draining) return;
    const started = fork(entry, [JSON.stringify(order)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: {
        ...libraryEnvironment,
        ...(order.modelMemoryMb > 0 ? thriftyEnvironment : {}),
        ...environment(),
      },
    });
    const child: Child = {
      process: started,
      member: order.member,
      device: '',
      loaded: new Outcomes(),
      isVacant: this.areAway,
      waiting: { reason: 'it is starting', isForMore: false },
      lastWord: undefined,
    };
    this.bySlot.set(slot, child);
    const risks: NodeWord = { type: 'risks', risks: this.loadDeaths.risks() };
    const away: NodeWord[] = this.areAway ? [{ type: 'vacate', away: true }] : [];
    if (started.pid !== undefined) for (const word of [...away, risks, ...first]) this.send(child, word);
    started.on('message', (word: WorkerWord) => this.hear(child, word));
    const ended = (verdict: Pick<Exit, 'cause' | 'detail'>): void => {
      if (this.bySlot.get(slot) === child) this.bySlot.delete(slot);
      this.loadDeaths.exited(order.member, verdict.cause, verdict.detail, child.lastWord?.loading);
      this.exited({ slot, member: order.member, ...verdict });
    };
    started.on('error', (fault) => {
      // Without a process there is no exit to wait for; else the fault is one of talking to it.
      if (started.pid === undefined)
        ended({ cause: 'crashed', detail: `it could not be started: ${fault.message}` });
    });
    started.once('exit', (code, signal) => ended(this.verdict(child, code, signal)));
  }

  private hear(child: Child, word: WorkerWord): void {
    if (word.type === 'loading') this.loadDeaths.began(child.member, word.key, word.isBusy);
    else if (word.type === 'unloaded') child.loaded.left(word.key);
    else if (word.type === 'listed') child.loaded.heard(word);
    else if (word.type === 'ran') this.loadDeaths.ran(child.member);
    else if (word.type === 'loaded') this.loaded(child, word.key, word.reason);
    else if (word.type === 'introduced') child.device = word.device;
    else if (word.type === 'vacated') child.isVacant = word.vacant;
    else if (word.type === 'waiting') child.waiting = word;
    else if (word.type === 'outdated') this.outdated(word.model);
    else child.lastWord = word;
  }

  private loaded(child: Child, key: string, reason: string): void {
    this.loadDeaths.ended(child.member, key);
    child.loaded.ended(key, reason);
  }

  /** How far the best of them is with it. */
  standingOf(key: string): Standing {
    return bestOf([...this.bySlot.values()].map(({ loaded }) => loaded.of(key)));
  }

  tell(word: NodeWord): void {
    for (const child of this.bySlot.values()) if (child.process.connected) this.send(child, word);
  }

  private send({ process, loaded }: Child, word: NodeWord): void {
    if (word.type === 'models')
      loaded.list(new Set(word.models.map((entry) => modelKey(entry.name, editionOf(entry)))));
    process.send(word, () => {});
  }

  /** What was held against its loading is forgotten. */
  forgive(key: string): void {
    if (this.loadDeaths.forgive(key)) this.tell({ type: 'risks', risks: this.loadDeaths.risks() });
  }

  list(): { readonly id: MemberId; readonly device: string }[] {
    return [...this.bySlot.values()].map(({ member, device }) => ({ id: member, device }));
  }

  sights(): WorkerSight[] {
    return [...this.bySlot.values()].map(({ member, loaded, waiting: { reason, isForMore } }) => ({
      id: member,
      isUpToDate: loaded.isUpToDate,
      waitsFor: reason,
      isForMore,
    }));
  }

  has(member: MemberId): boolean {
    return [...this.bySlot.values()].some((child) => child.member === member);
  }

  /** All are to stand by, those too that come meanwhile; or they are wanted again. */
  vacate(away: boolean): void {
    this.areAway = away;
    for (const child of this.bySlot.values()) child.isVacant = !away;
    this.tell({ type: 'vacate', away });
  }

  /** How many have yet to say that they do so. */
  get moving(): number {
    let count = 0;
    for (const { isVacant } of this.bySlot.values()) if (isVacant !== this.areAway) count++;
    return count;
  }

  kill(slot: number): void {
    this.bySlot.get(slot)?.process.kill('SIGKILL');
  }

  /** Asks all to finish what they have; ends those that take longer. Resolves when none is left. */
  async drain(graceMs: number): Promise<void> {
    this.draining = true;
    const word: NodeWord = { type: 'drain' };
    await Promise.all(
      [...this.bySlot.values()].map(
        (child) =>
          new Promise<void>((resolve) => {
            const late = after(graceMs, () => child.process.kill('SIGKILL'));
            child.process.once('exit', () => {
              late.cancel();
              resolve();
            });
            if (child.process.connected) child.process.send(word, () => {});
          }),
      ),
    );
  }

  private verdict(
    child: Child,
    code: number | null,
    signal: string | null,
  ): { cause: Cause; detail: string } {
    if (child.lastWord !== undefined) return { cause: child.lastWord.cause, detail: child.lastWord.reason };
    if (signal === 'SIGKILL' && this.memoryKills.justNow()) {
      return { cause: 'exhausted', detail: 'the system ended it for want of memory' };
    }
    if (signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT' || signal === 'SIGHUP') {
      return { cause: 'killed', detail: `ended from outside by ${signal}` };
    }
    if (signal !== null) return { cause: 'crashed', detail: `ended by ${signal}` };
    return code === 0
      ? { cause: 'stopped', detail: 'stopped' }
      : { cause: 'crashed', detail: `exit code ${code}` };
  }
}
