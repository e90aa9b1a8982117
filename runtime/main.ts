#!/usr/bin/env node
// The command line: reads the configuration, starts a node, and ends it when asked to.
import { now } from './clock.js';
import { environment } from './config/environment.js';
import { helpText } from './config/help.js';
import { ConfigError, loadConfig } from './config/load.js';
import { letHeapGrow } from './heap.js';
import { jobsText } from './jobs/command.js';
import { createLog } from './log.js';
import { Node } from './node/node.js';
import { planOf } from './node/plan.js';
import { isTerminal, print, printError } from './print.js';
import { version } from './version.js';

const exitWrongUse = 2;
const exitFailed = 1;
const exitInterrupted = 130;
const repeatMs = 500;

async function main(): Promise<void> {
  const [first, ...rest] = process.argv.slice(2);
  if (first === 'jobs') return print(await jobsText(rest, environment()));
  if (first === 'keys') {
    const { keysText } = await import('./keys/command.js');
    return print(keysText(rest, environment()));
  }
  if (first === 'infer') {
    const { inferText } = await import('./infer/command.js');
    return print(await inferText(rest, environment()));
  }
  if (first === 'models' || first === 'cluster') {
    const textOf =
      first === 'models'
        ? (await import('./models/command.js')).modelsText
        : (await import('./membership/command.js')).clusterText;
    const { text, isGood } = await textOf(rest, environment(), printError);
    print(text);
    if (!isGood) process.exitCode = exitFailed;
    return;
  }
  letHeapGrow();
  const asked = loadConfig(process.argv.slice(2), environment());
  if (asked.help) return print(helpText());
  if (asked.version) return print(version);
  const plan = planOf(asked.config);
  const log = createLog(asked.config.logLevel, plan.self.id);
  const node = new Node(asked.config, plan, log);
  let askedAt: number | undefined;
  const stop = (): void => {
    // npm hands a Ctrl-C on that the terminal has already sent: the second of a pair is no second wish.
    if (askedAt !== undefined && now() - askedAt < repeatMs) return;
    if (askedAt !== undefined) process.exit(exitInterrupted);
    askedAt = now();
    void node.stop().then(() => process.exit(0));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  await node.start();
  log.info('node.serving', { roles: asked.config.role, workers: plan.workerNames.length });
  if (plan.serves.has('router') && isTerminal()) node.onReady(() => print(`ready: ${node.about()}`));
}

try {
  await main();
} catch (fault) {
  printError(`signalbox: ${(fault as Error).message}`);
  const [first] = process.argv.slice(2);
  const command = ['jobs', 'models', 'infer', 'cluster', 'keys'].includes(first ?? '')
    ? `node runtime ${first}`
    : 'node runtime';
  if (fault instanceof ConfigError) printError(`\`${command} --help\` lists what can be set.`);
  process.exit(fault instanceof ConfigError ? exitWrongUse : exitFailed);
}
