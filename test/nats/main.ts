// `npm run nats`: NATS at hand for a cluster on this machine. Finds a server or gets one, starts one node or three with
// JetStream on loopback, and leaves nothing when it ends.
import { parseArgs } from 'node:util';
import { cacheFolder, getServer, serverVariable } from './find.js';
import { NatsServers, type NodeCount, nodeCounts } from './servers.js';

const usage = `Usage: npm run nats -- [options]
  --nodes N    1, or 3 that are a cluster [1]
  --port N     the first port; the others follow it [4222]
  --find       only find a server or get one, and say where it is

A server is looked for in ${serverVariable}, on the PATH and in ${cacheFolder(process.env)};
where there is none, Go builds one into that folder or Debian's package gives it.
`;
const getWaitMs = 300_000;
const portMost = 65_535;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function note(line: string): void {
  process.stderr.write(`nats: ${line}\n`);
}

function nodesOf(given = '1'): NodeCount {
  const nodes = nodeCounts.find((count) => String(count) === given);
  if (nodes === undefined) throw new Error(`--nodes is ${given}; allowed is ${nodeCounts.join(' or ')}`);
  return nodes;
}

function portOf(given: string, nodes: number): number {
  const port = Number(given);
  if (/^\d+$/.test(given) && port >= 1 && port + nodes - 1 <= portMost) return port;
  throw new Error(`--port is ${given}; allowed is a whole number from 1 to ${portMost - nodes + 1}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string' },
      port: { type: 'string', default: '4222' },
      find: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return say(usage.trimEnd());
  const nodes = nodesOf(values.nodes);
  const firstPort = portOf(values.port, nodes);
  const { path, version } = getServer({ environment: process.env, say: note, waitMs: getWaitMs });
  if (values.find) return say(`${path} (${version})`);
  const starting = NatsServers.start(path, { nodes, firstPort });
  // npm hands a Ctrl-C on that the terminal has already sent: the second changes nothing.
  const stop = (): void => {
    void starting.then((servers) => servers.remove()).finally(() => process.exit());
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  // Whoever read what it says is gone, as after `| head`.
  process.stdout.on('error', stop);
  const servers = await starting;
  say(
    `nats-server ${version} with JetStream, ${nodes === 1 ? 'one node' : `${nodes} nodes`}; Ctrl-C ends it`,
  );
  say(servers.urls);
}

try {
  await main();
} catch (fault) {
  note((fault as Error).message);
  process.exitCode = 1;
}
