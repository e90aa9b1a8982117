// The sample rights in NATS, out of a list of who does what with which bucket: `npm run readme` writes them, and a test compares.
// What a subject is called for each of that is the library's and the server's business, and said here once.

const buckets = {
  members: 'KV_signalbox-signalbox-members',
  owners: 'KV_signalbox-signalbox-owners',
  manifests: 'KV_signalbox-signalbox-manifests',
  models: 'OBJ_signalbox-signalbox-models',
} as const;
type Bucket = keyof typeof buckets;

const everybody = ['$JS.API.INFO', '$JS.API.STREAM.NAMES', '$JS.FC.>'];

const verbs = {
  /** What there is and what changes. */
  read: (stream: string) => [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.DIRECT.GET.${stream}.>`,
    `$JS.API.DIRECT.GET.${stream}`,
    `$JS.API.STREAM.MSG.GET.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.CREATE.${stream}`,
    `$JS.API.CONSUMER.INFO.${stream}.>`,
    `$JS.API.CONSUMER.DELETE.${stream}.>`,
  ],
  make: (stream: string) => [`$JS.API.STREAM.CREATE.${stream}`],
  /** Have it on as many servers as there are for it. */
  copy: (stream: string) => [`$JS.API.STREAM.UPDATE.${stream}`],
  write: (stream: string) => [`${stream.replace(/^KV_/, '$KV.').replace(/^OBJ_/, '$O.')}.>`],
  /** Entries of nodes that are workers by the middle of their ids. */
  writeWorkers: (stream: string) => [`${stream.replace(/^KV_/, '$KV.')}.*.worker.*`],
  purge: (stream: string) => [`$JS.API.STREAM.PURGE.${stream}`],
} as const;
type Verb = keyof typeof verbs;

interface User {
  readonly about: readonly string[];
  readonly may: Readonly<Partial<Record<Verb, readonly Bucket[]>>>;
}

const all: readonly Bucket[] = ['members', 'owners', 'manifests', 'models'];

export const users: Readonly<Record<string, User>> = {
  router: {
    about: [
      'Routers say who they are, take out who is dead, and read the rest: who is there, who owns which model, which models there are.',
    ],
    may: { read: all, write: ['members'] },
  },
  worker: {
    about: [
      'Workers read the same, and write entries of workers only, which those are by the middle of their ids: they own and change no',
      "models, and list no routers and schedulers. Between themselves they are not kept apart: one may write another's entry.",
    ],
    may: { read: all, writeWorkers: ['members'] },
  },
  scheduler: {
    about: [
      'Schedulers own models: the first of them writes the list. They make the buckets that every node needs,',
      'and add the copies that those lack which were made while a server was missing.',
    ],
    may: { read: all, make: all, copy: all, write: ['members', 'owners'] },
  },
  operator: {
    about: [
      'Whoever pushes models (node runtime models push), and nobody else: a model may bring modules for its own steps, which run on',
      'every node with a router. Who has this password runs code there.',
    ],
    may: {
      read: ['members', 'manifests', 'models'],
      make: ['manifests', 'models'],
      write: ['manifests', 'models'],
      purge: ['models'],
    },
  },
};

const head = `# Written by npm run readme. Who may do what in the NATS of a cluster with the name "signalbox" (--cluster; with another name the
# buckets are called signalbox-<name>-...). Include it in the configuration of each server. The passwords come from the environment
# of the servers. Each user is answered under its own name (_INBOX.<user>), where no other can listen. nkeys do as well: \`nkey: U...\`
# in place of user and password, and \`_INBOX.U...\` with the same key. A name of other than letters, digits, - and _ (a dot, an @) is
# answered under plain _INBOX, and these rights lock it out: choose another. Update the nodes first and these rights afterwards:
# nodes from before their own inboxes ask under plain _INBOX too, and those from before ids with ranks have none in the keys of
# their entries. A node that has several roles takes the user with the rights of all of them: scheduler.
`;

export function subjectsOf({ may }: User): string[] {
  const granted = Object.entries(may).flatMap(([verb, named]) =>
    named.flatMap((bucket) => verbs[verb as Verb](buckets[bucket])),
  );
  return [...everybody, ...granted];
}

export function permissionsText(): string {
  const written = Object.entries(users).map(([name, user]) => userText(name, user));
  return `${head}\nauthorization {\n  users = [\n${written.join('')}  ]\n}\n`;
}

function userText(name: string, user: User): string {
  const lines = [
    ...user.about.map((line) => `# ${line}`),
    '{',
    `  user: ${name}, password: $NATS_${name.toUpperCase()}_PASSWORD`,
    '  permissions {',
    `    subscribe: ["_INBOX.${name}.>"]`,
    '    publish: [',
    ...subjectsOf(user).map((subject) => `      "${subject}",`),
    '    ]',
    '  }',
    '}',
  ];
  return lines.map((line) => `    ${line}\n`).join('');
}
