#!/usr/bin/env node
// The command line: a command for a node that runs, or a node that is started here. What only a node needs is loaded for it.
import { environment } from './config/environment.js';
import { helpText } from './config/help.js';
import { ConfigError, loadConfig } from './config/load.js';
import { print, printError } from './print.js';
import { version } from './version.js';

const exitWrongUse = 2;
const exitFailed = 1;

async function main(): Promise<void> {
  const [first, ...rest] = process.argv.slice(2);
  if (first === 'jobs') {
    const { jobsText } = await import('./jobs/command.js');
    return print(await jobsText(rest, environment()));
  }
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
    // A connection to a NATS that answers no more would keep the process for as long.
    process.exit(isGood ? 0 : exitFailed);
  }
  const asked = loadConfig(process.argv.slice(2), environment());
  if (asked.help) return print(helpText());
  if (asked.version) return print(version);
  const { serve } = await import('./serve.js');
  await serve(asked.config);
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
