// What `--help` says: how a node is started, and every setting with its default.
import { environmentOf, flagOf, settingNames, settings } from './schema.js';
import type { Setting } from './setting.js';

export function helpText(): string {
  const rows = settingNames.map((name) => {
    const setting: Setting<unknown> = settings[name];
    const fallback = setting.fallback === '' ? '' : ` [${String(setting.fallback)}]`;
    return `  ${flagOf(name).padEnd(24)} ${setting.meaning}${fallback}\n  ${''.padEnd(24)} ${setting.allowed}`;
  });
  return [
    'Usage: node runtime [--role ROLES] [--setting value ...]',
    '',
    'Starts a node of Signalbox. Without arguments: a whole system on this machine.',
    '  node runtime                    router, scheduler, health and two workers',
    '  node runtime --role worker      one more node with workers, joined to the local system',
    '  node runtime --role worker --nats nats://127.0.0.1:4222    the same, in a cluster that finds itself by NATS',
    '  node runtime jobs --help        what became of the latest requests to a node that runs',
    '  node runtime infer --help       sends one request, with a picture or a text, and prints or writes the answer',
    '  node runtime cluster --help     who is there, as a node that runs sees it; drains and removes nodes',
    '  node runtime keys --help        makes the key of a node, for links between machines, and lists whom it trusts',
    '  node runtime models --help      checks a folder of models; lists and loads those of a node that runs; pushes to a cluster',
    '  node runtime --config node.yaml settings from a file, by the names below without dashes: httpPort, not http-port',
    '',
    `Settings, with [defaults]. Flags go before the environment (${environmentOf('httpPort')}), that before the file.`,
    ...rows,
    '  --config                 A YAML file with settings (SIGNALBOX_CONFIG).',
    '  --version                The version of this build.',
  ].join('\n');
}
