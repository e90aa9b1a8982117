// The sample cluster from its one command: both routers answer, and an interrupt ends every process of it.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { after, describe, test } from 'node:test';
import { skip } from '../nats/at-hand.js';
import { isFree } from '../nats/server.js';
import { root, Scratch, until } from './harness.js';
import { ModelFolder } from './repository.js';

const script = `${root}examples/cluster/start.mjs`;
const readyWaitMs = 60_000;

/** The first of so many that are free one after the other. */
async function freePorts(count: number): Promise<number> {
  for (let time = 0; time < 100; time++) {
    const probe: Server = createServer();
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
    const { port } = probe.address() as { port: number };
    await new Promise((resolve) => probe.close(resolve));
    const wanted = Array.from({ length: count }, (_, index) => port + index);
    if (port + count <= 65_535 && (await Promise.all(wanted.map(isFree))).every(Boolean)) return port;
  }
  throw new Error('no ports in a row are free');
}

describe('the sample cluster on one machine', { skip }, () => {
  const scratch = new Scratch();
  let child: ChildProcess | undefined;
  after(async () => {
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child?.once('close', resolve));
      child.kill('SIGTERM');
      await ended;
    }
    scratch.remove();
  });

  test('serves from both routers, and ends with Ctrl-C', async () => {
    const models = new ModelFolder(scratch).simulated('steady').folder;
    const [nats, http] = [await freePorts(3), await freePorts(4)];
    const ports = ['--nats-port', String(nats), '--http-port', String(http)];
    child = spawn(process.execPath, [script, ...ports, '--workers', '2', '--models', models], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    }
    const ended = new Promise<number | null>((resolve) => child?.once('close', resolve));
    for (const port of [http, http + 2]) {
      const answers = async (): Promise<boolean> => {
        if (child?.exitCode !== null) throw new Error(said);
        const url = `http://127.0.0.1:${port}/v2/models/steady/infer`;
        const input = { name: 'x', datatype: 'FP32', shape: [1, 4], data: [7, 7, 7, 7] };
        const body = JSON.stringify({ inputs: [input] });
        const answer = await fetch(url, { method: 'POST', body }).catch(() => undefined);
        await answer?.arrayBuffer();
        return answer?.status === 200;
      };
      await until(`the router at ${port} answers`, answers, readyWaitMs, 100).catch((fault: Error) => {
        throw new Error(`${fault.message}; ${said}`);
      });
    }
    for (const name of ['router-1', 'router-2', 'scheduler-1', 'scheduler-2', 'worker-1', 'worker-2']) {
      await until(`${name} serves`, () => said.includes(`${name}: serves`));
    }
    child.kill('SIGINT');
    assert.equal(await ended, 0, said);
    for (const port of [nats, nats + 1, nats + 2, http, http + 1, http + 2, http + 3]) {
      assert.ok(await isFree(port), `${port} is still taken`);
    }
  });

  test('says what can be chosen, and what is wrong with what was', async () => {
    const said = (...args: string[]) =>
      new Promise<{ code: number | null; text: string }>((resolve) => {
        const one = execFile(process.execPath, [script, ...args], (_, stdout, stderr) =>
          resolve({ code: one.exitCode, text: stdout + stderr }),
        );
      });
    const [help, many, unknown] = await Promise.all([
      said('--help'),
      said('--workers', '99'),
      said('--wrokers', '2'),
    ]);
    assert.equal(help.code, 0);
    assert.match(help.text, /--workers N/);
    assert.equal(many.code, 2);
    assert.match(many.text, /--workers is 99; allowed is a whole number from 1 to 16/);
    assert.equal(unknown.code, 2);
    assert.match(unknown.text, /wrokers/);
  });

  test('ends with 1 and leaves nothing behind where no node can be started', async () => {
    const [nats, http] = [await freePorts(3), await freePorts(4)];
    const ports = ['--nats-port', String(nats), '--http-port', String(http)];
    child = spawn(process.execPath, [script, ...ports, '--workers', '1', '--models', scratch.path('none')], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    }
    const code = await new Promise<number | null>((resolve) => child?.once('close', resolve));
    assert.equal(code, 1, said);
    assert.match(said, /router-1: signalbox: the model repository .*none can't be read/);
    assert.match(said, /^cluster: no node is left, so NATS is ended too$/m);
    for (let port = nats; port < nats + 3; port++) assert.ok(await isFree(port), String(port));
  });
});
