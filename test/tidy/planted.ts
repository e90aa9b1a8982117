// One planted violation, or several, for each tidy rule, beside something alike that is allowed: a rule that finds
// nothing here would find nothing in the project either.
import * as names from './names.js';
import * as rooms from './rooms.js';
import * as shape from './shape.js';
import type { Finding, Source } from './source.js';
import * as world from './world.js';

export interface Planted {
  readonly rule: (sources: readonly Source[]) => Finding[];
  /** Each is a small project with exactly one violation. */
  readonly bad: readonly Source[][];
  /** A small project without any. */
  readonly good: readonly Source[];
}

function file(path: string, text: string): Source {
  return { path, text };
}

function lines(count: number, line = 'export const word = 1;'): string {
  return Array.from({ length: count }, () => `${line}\n`).join('');
}

const header = '// A file to try a rule with.\n';
const manifest = file('package.json', '{"dependencies":{"pino":"1"}}');
const slash = '/';

const imports: Planted[] = [
  {
    rule: rooms.importsAcrossRooms,
    bad: [
      [file('proto/a.ts', "import { b } from '../actors/b.js';")],
      [file('actors/job/a.ts', "import type { B } from '../../runtime/b.js';")],
      [file('actors/a.ts', "export * from '../cluster/b.js';")],
      [file('cluster/a.ts', "const b = await import('../actors/b.js');")],
      [file('runtime/a.ts', "import '../test/b.js';")],
      [file('examples/a.ts', "import { b } from '../runtime/post/b.js';")],
    ],
    good: [
      file('actors/job/a.ts', "// from '../../runtime/b.js'\nimport { b } from '../../proto/b.js';"),
      file('runtime/a.ts', "import { b } from '../actors/b.js';\nimport { c } from '../cluster/c.js';"),
      file('test/a.test.ts', "import { b } from '../runtime/b.js';"),
      file('examples/a.ts', "import { b } from '../runtime/client/b.js';"),
    ],
  },
  {
    rule: rooms.importsIntoActors,
    bad: [
      [file('actors/a.ts', "import { readFileSync } from 'node:fs';")],
      [file('actors/job/a.ts', "import { setup } from 'xstate';")],
      [file('actors/chart.ts', "import { z } from 'zod';")],
    ],
    good: [
      file('actors/chart.ts', "import { setup } from 'xstate';"),
      file('runtime/a.ts', "import 'node:fs';"),
    ],
  },
  {
    rule: rooms.librariesKnownTwice,
    bad: [
      [
        file('runtime/a.ts', "import { pino } from 'pino';"),
        file('runtime/b.ts', "import type { L } from 'pino/x';"),
      ],
    ],
    good: [
      file('runtime/a.ts', "import { pino } from 'pino';\nimport type { L } from 'pino/x';"),
      file('runtime/b.ts', "import '@grpc/reflection';\nimport 'node:fs';"),
      file('runtime/c.ts', "import '@grpc/grpc-js';\nimport 'node:fs';"),
      file('test/a.test.ts', "import { pino } from 'pino';"),
    ],
  },
  {
    rule: rooms.librariesDeclared,
    bad: [
      [manifest, file('runtime/a.ts', "import 'pino';\nimport 'chalk';")],
      [manifest, file('test/a.ts', "import 'pino';")],
    ],
    good: [manifest, file('runtime/a.ts', "import 'pino';")],
  },
];

const touches: Planted[] = [
  {
    rule: world.clockAndChance,
    bad: [
      [file('runtime/a.ts', 'const now = Date.now();')],
      [file('actors/a.ts', 'const now = new Date();')],
      [file('cluster/a.ts', 'const now = performance.now();')],
      [file('runtime/a.ts', 'setTimeout(run, 5);')],
      [file('runtime/a.ts', 'const timer = globalThis.setInterval(run, 5);')],
      [file('proto/a.ts', 'setImmediate(run);')],
      [file('runtime/a.ts', 'const dice = Math.random();')],
      [file('actors/a.ts', 'const dice = crypto.randomUUID();')],
      [file('runtime/a.ts', "import timers from 'node:timers/promises';")],
      [file('test/simulation/a.ts', 'const dice = Math.random();')],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the planted code has a template.
      [file('runtime/a.ts', 'const text = `${Date.now()} ms`;')],
    ],
    good: [
      file('runtime/clock.ts', 'export const now = (): number => Date.now();\nsetTimeout(run, 5);'),
      file(
        'runtime/a.ts',
        "// Date.now() is elsewhere\nconst word = 'Math.random()';\nserver.setTimeout(5);",
      ),
      file('runtime/b.ts', 'const at = new Date(milliseconds);\nconst half = /setTimeout(.)/.test(word);'),
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the planted code has a template.
      file('runtime/c.ts', 'const name = `setTimeout(${word})`;'),
      file('test/a.test.ts', 'const now = Date.now();'),
    ],
  },
  {
    rule: world.environmentOutsideConfig,
    bad: [
      [file('runtime/main.ts', 'const home = process.env.HOME;')],
      [file('runtime/main.ts', "const home = process['env'];")],
      [file('cluster/a.ts', "import { env } from 'node:process';")],
    ],
    good: [
      file('runtime/config/read.ts', 'const home = process.env.HOME;'),
      file('runtime/a.ts', '// process.env\n'),
    ],
  },
  {
    rule: world.printingOutsideLog,
    bad: [
      [file('runtime/a.ts', "console.log('here');")],
      [file('actors/a.ts', "process.stdout.write('here');")],
    ],
    good: [
      file('runtime/log.ts', "process.stderr.write('here');"),
      file('runtime/print.ts', "console.log('here');"),
      file('runtime/a.ts', "const word = 'console.log()';"),
      file('test/bench/a.ts', "console.log('here');"),
    ],
  },
];

const shapes: Planted[] = [
  {
    rule: shape.headers,
    bad: [
      [file('runtime/a.ts', "import './b.js';\n")],
      [file('runtime/a.ts', '// TODO\nexport {};\n')],
      [file('test/a.ts', '\n// A file to try a rule with.\n')],
    ],
    good: [
      file('runtime/a.ts', header),
      file('runtime/b.ts', '/** A file to try\n * a rule with. */\nexport {};\n'),
      file('runtime/c.ts', `#!/usr/bin/env node\n${header}`),
    ],
  },
  {
    rule: shape.fileLengths,
    bad: [[file('runtime/a.ts', lines(shape.fileLinesMax + 1))]],
    good: [file('runtime/a.ts', lines(shape.fileLinesMax))],
  },
  {
    rule: shape.medianLength,
    bad: [[1, 2, 3].map((number) => file(`runtime/a${number}.ts`, lines(shape.medianLinesMax + 1)))],
    good: [
      file('runtime/a.ts', lines(shape.medianLinesMax)),
      file('runtime/b.ts', lines(300)),
      file('runtime/c.ts', ''),
    ],
  },
  {
    rule: shape.functionLengths,
    bad: [
      ['export function long(one: { a: number }): { b: number } {\n', '}\n'],
      ['class Kept {\n  private async long<T>(one: T = {}): Promise<void> {\n', '  }\n}\n'],
      ['const long = (one: string): void => {\n', '};\n'],
      ['class Kept {\n  constructor(\n    readonly one: string,\n  ) {\n', '  }\n}\n'],
      ["test('long', async () => {\n", '});\n'],
    ].map(([head = '', tail = '']) => [
      file('runtime/a.ts', head + lines(shape.functionLinesMax, '  call();') + tail),
    ]),
    good: [
      file('runtime/a.ts', `function short(): void {\n${lines(shape.functionLinesMax - 2, '  call();')}}\n`),
      file(
        'runtime/b.ts',
        `function short(): void {\n  const brace = '{';\n}\n${lines(shape.functionLinesMax)}`,
      ),
      file(
        'test/a.test.ts',
        `function group(): void {\n${lines(shape.functionLinesMax, "  test('one', run);")}}\n`,
      ),
      file('runtime/c.ts', `class Long {\n${lines(shape.functionLinesMax, '  word = 1;')}}\n`),
      file(
        'runtime/e.ts',
        `function short(): void {\n  say(\`{\${word}} \${\`}\`}\`, /[/{]/);\n}\n${lines(100)}`,
      ),
      file('runtime/d.ts', `call(word);\nif (word) {\n${lines(shape.functionLinesMax, '  call();')}}\n`),
    ],
  },
];

const called: Planted[] = [
  {
    rule: names.folderNames,
    bad: [
      [file('runtime/utils/a.ts', header)],
      [file('actors/Helpers/a.ts', header)],
      [file('test/my_tests/a.ts', '')],
    ],
    good: [
      file('runtime/config/a.ts', header),
      file('examples/models/digits/1/model.txt', ''),
      file('.ci/a.mjs', ''),
    ],
  },
  {
    rule: names.fileNames,
    bad: [[file('runtime/helpers.ts', header)], [file('runtime/aClock.ts', header)]],
    good: [file('runtime/clock.ts', header), file('actors/job/job.machine.ts', header)],
  },
  {
    rule: names.namesInFull,
    bad: [[file('runtime/a.ts', 'const cfg = read();')], [file('actors/a.ts', 'let msg;')]],
    good: [
      file('runtime/a.ts', 'const config = read(); // const cfg = 1'),
      file('test/a.ts', 'const msg = 1;'),
    ],
  },
  {
    rule: names.unitsInConfig,
    bad: [
      [file('runtime/config/schema.ts', 'const settings = {\n  deadline: whole(30_000, 1, 5),\n};')],
      [file('runtime/config/schema.ts', 'const schema = z.object({\n  deadline: z.number().min(1),\n});')],
      [file('proto/limits.ts', 'export const limits = {\n  nameLength: 128,\n};')],
    ],
    good: [
      file(
        'runtime/config/schema.ts',
        "{\n  deadlineMs: whole(30_000, 1, 5),\n  queueDepthMax: z.int(),\n  name: text('node', 5),\n}",
      ),
      file('proto/limits.ts', 'export const limits = {\n  nameLengthMax: 128,\n};'),
      file('runtime/a.ts', '{\n  deadline: z.number(),\n}'),
    ],
  },
  {
    rule: names.placesOfOneMachine,
    bad: [
      [file('README.md', `see ${slash}root/notes`)],
      [file('examples/a.py', `open('${slash}home/someone/model')`)],
      [file('.npmrc', `registry=https://${['registry', 'npmjs', 'org'].join('.')}/`)],
    ],
    good: [file('README.md', 'see ./work/notes, https://example.org/work/notes and /tmp/notes')],
  },
];

export const planted: readonly Planted[] = [...imports, ...touches, ...shapes, ...called];
