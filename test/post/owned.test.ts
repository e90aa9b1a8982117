// Unix sockets that a node with keys calls: those of its own user only, in folders where nobody else can put one, whatever the
// list of members says.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadConfig } from '../../runtime/config/load.js';
import { makePair, writePair } from '../../runtime/keys/pair.js';
import { KeyRing, type Turned } from '../../runtime/keys/ring.js';
import { planOf } from '../../runtime/node/plan.js';
import { whoElse } from '../../runtime/post/owned.js';
import { zeromqTransport } from '../../runtime/post/zeromq.js';
import { Branch } from './branch.js';

describe('a unix socket', { skip: process.platform === 'win32' }, () => {
  const root = mkdtempSync(join(tmpdir(), 'owned-'));
  after(() => rmSync(root, { recursive: true, force: true }));
  const folder = (name: string, mode: number, within = root): string => {
    const path = join(within, name);
    mkdirSync(path);
    chmodSync(path, mode);
    return path;
  };
  const own = folder('own', 0o700);

  test("is its user's own where nobody else may write, whether it is there yet or not", () => {
    assert.equal(whoElse(join(own, 'socket')), undefined);
    assert.equal(whoElse(join(folder('shown', 0o755), 'none', 'socket')), undefined);
  });

  test("may be anybody's below a folder for all, and in one that all may put something into", () => {
    const open = folder('open', 0o777);
    assert.match(String(whoElse(join(open, 'socket'))), /all may change what is in .*open$/);
    assert.match(
      String(whoElse(join(folder('in', 0o700, open), 'socket'))),
      /all may change what is in .*open$/,
    );
    const sticky = folder('sticky', 0o1777);
    assert.match(String(whoElse(join(sticky, 'socket'))), /all may put a socket into .*sticky$/);
    assert.match(String(whoElse(join(sticky, 'none', 'socket'))), /all may put a socket into .*sticky$/);
    assert.equal(whoElse(join(folder('in', 0o700, sticky), 'socket')), undefined);
    symlinkSync(open, join(own, 'elsewhere'));
    assert.match(String(whoElse(join(own, 'elsewhere', 'socket'))), /all may change what is in .*open$/);
  });

  test('of another user is not called', () => {
    const theirs = folder('theirs', 0o755);
    const self = process.getuid?.() ?? 0;
    if (self === 0) chownSync(theirs, 4711, 4711);
    const another = self === 0 ? 4712 : self + 1;
    assert.match(String(whoElse(join(theirs, 'socket'), another)), /theirs belongs to another user$/);
    if (self === 0) assert.equal(whoElse(join(own, 'socket'), another), undefined, 'but root is believed');
  });

  test('that a list names is not called by who has keys, and says why', async () => {
    const turned: Turned[] = [];
    let tell = (): void => {};
    const told = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const ring = new KeyRing((one) => {
      turned.push(one);
      tell();
    });
    ring.take({ pair: makePair(), trusted: [] });
    const keyed = new Branch(zeromqTransport({ keys: ring }), 'keyed.1', 'test', ['worker'], ring);
    const [one, other, plain] = ['one.1', 'other.1', 'plain.1'].map(
      (id) => new Branch(zeromqTransport(), id),
    ) as [Branch, Branch, Branch];
    try {
      const open = await one.office.bind(`ipc://${join(folder('listed', 0o777), 'socket')}`);
      keyed.office.dial(open);
      await told;
      assert.match(
        turned[0]?.reason ?? '',
        /all may change what is in .*listed, and with keys this node calls only/,
      );
      plain.office.dial(open);
      await plain.opening();
      assert.deepEqual(keyed.openings, [], 'who has no keys calls it, so it could be reached');
      keyed.office.dial(await other.office.bind(`ipc://${join(own, 'socket')}`));
      await keyed.opening();
    } finally {
      for (const branch of [one, other, plain, keyed]) await branch.office.close(0);
    }
  });

  test('is not listened at either by a node with keys', () => {
    const keyFile = join(own, 'node.key');
    writePair(keyFile, makePair(), false);
    const endpoint = `ipc://${join(folder('bound', 0o777), 'socket')}`;
    const plan = (...args: string[]) => planOf(loadConfig(['--endpoint', endpoint, ...args], {}).config);
    assert.throws(
      () => plan('--key-file', keyFile),
      /--endpoint ipc:.* does not go with --key-file: all may change/,
    );
    assert.equal(plan().bind, endpoint);
  });
});
