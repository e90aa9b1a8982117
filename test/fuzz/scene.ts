// A node under mutated files: its pictures go through the image pipeline, its model is loaded again and again, and beside
// them a model serves that nothing has been done to.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { http } from '../processes/client.js';
import { apart, type LogLine, RunningNode, Scratch } from '../processes/harness.js';
import { childrenOf, memoryMbOf } from '../processes/proc.js';
import { ModelFolder } from '../processes/repository.js';

const pixels = (name: string): string => `[{ name: ${name}, datatype: FP32, shape: [1, 1, -1, -1] }]`;
const sampleEveryMs = 250;
const row = { name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] };

export class FuzzScene {
  readonly scratch = new Scratch();
  readonly models: ModelFolder;
  readonly kept: string;
  peakNodeMb = 0;
  peakAllMb = 0;
  private running: RunningNode | undefined;
  private starting: Promise<RunningNode> | undefined;
  private readonly sampler: NodeJS.Timeout;

  /** `kept`: where the files are put that broke something down. */
  constructor(kept: string) {
    this.kept = kept;
    this.models = new ModelFolder(this.scratch)
      .config('mirror', ['backend: echo', `inputs: ${pixels('input')}`, `outputs: ${pixels('output')}`])
      .config('larger', [
        'runs: mirror',
        'before: [image.decode, { image.enlarge: { scales: [2] } }]',
        'after: [image.recolour, image.encode]',
      ])
      .simulated('steady', { alphaMs: 0 });
    this.sampler = setInterval(() => this.sample(), sampleEveryMs);
  }

  /** The node; another where that has ended. */
  async node(): Promise<RunningNode> {
    if (
      this.running !== undefined &&
      this.running.process.exitCode === null &&
      this.running.process.signalCode === null
    )
      return this.running;
    this.starting ??= this.start();
    return this.starting;
  }

  private async start(): Promise<RunningNode> {
    const node = new RunningNode({
      flags: { ...apart(this.scratch, this.models.folder), 'cache-folder': '' },
    });
    await node.ready(40_000);
    this.running = node;
    this.starting = undefined;
    return node;
  }

  workerDeaths(): readonly LogLine[] {
    return this.running?.lines.filter(({ event }) => event === 'worker.exited') ?? [];
  }

  /** The word with which it fails; empty when it answers as ever. */
  async steady(): Promise<string> {
    const { httpPort } = await this.node();
    const { status, body } = await http(httpPort, '/v2/models/steady/infer', { inputs: [row] });
    return status === 200 ? '' : JSON.stringify(body);
  }

  keep(name: string, bytes: Uint8Array): string {
    mkdirSync(this.kept, { recursive: true });
    const path = join(this.kept, name);
    writeFileSync(path, bytes);
    return path;
  }

  async end(): Promise<void> {
    clearInterval(this.sampler);
    await this.running?.dispose();
    this.scratch.remove();
  }

  private sample(): void {
    const pid = this.running?.pid ?? 0;
    try {
      const node = memoryMbOf([pid]);
      this.peakNodeMb = Math.max(this.peakNodeMb, node);
      this.peakAllMb = Math.max(this.peakAllMb, node + memoryMbOf(childrenOf(pid)));
    } catch {
      // It has just ended.
    }
  }
}
