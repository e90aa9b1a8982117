// The files of keys and the command that writes them: what is made is private, what is listed is checked, and what people
// may get wrong is said with what to do.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { curveKeyPair } from 'zeromq';
import { loadConfig } from '../../runtime/config/load.js';
import { keysText } from '../../runtime/keys/command.js';
import { KeyKeeper, ownPair } from '../../runtime/keys/keeper.js';
import { makePair, pairOf, readPair } from '../../runtime/keys/pair.js';
import { addTrusted, parseTrusted, removeTrusted } from '../../runtime/keys/trusted.js';
import { planOf } from '../../runtime/node/plan.js';
import { z85 } from '../../runtime/post/curve.js';
import { keyIn, withKey } from '../../runtime/post/endpoint.js';
import { root } from '../processes/harness.js';

const someKey = makePair().publicKey;
const other = makePair().publicKey;

describe('node runtime keys', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const keyFile = join(folder, 'node.key');
  const trustFile = join(folder, 'trusted');
  const said = (...words: string[]): string => keysText(words, { SIGNALBOX_KEY_FILE: keyFile });

  test('new makes a secret for its owner alone, and replaces none unasked', () => {
    const publicKey = /^public key {2}([0-9a-f]{64})$/m.exec(said('new', '--out', folder))?.[1];
    assert.equal(statSync(keyFile).mode & 0o777, 0o600);
    assert.equal(readPair(keyFile).publicKey, publicKey);
    assert.equal(said('show'), publicKey);
    assert.throws(() => said('new', '--out', folder), /is there already: .* replace it with --force/);
    assert.equal(said('show'), publicKey);
    // Whoever has it open, or may read it, has the old one.
    const before = readFileSync(keyFile, 'utf8');
    chmodSync(keyFile, 0o644);
    const open = openSync(keyFile, 'r');
    said('new', '--out', folder, '--force');
    assert.equal(readFileSync(open, 'utf8'), before);
    closeSync(open);
    assert.deepEqual(readdirSync(folder), ['node.key']);
    assert.notEqual(said('show'), publicKey);
    assert.equal(statSync(keyFile).mode & 0o777, 0o600);
  });

  test('a secret that everybody may read is refused', { skip: process.platform === 'win32' }, () => {
    chmodSync(keyFile, 0o644);
    assert.throws(() => readPair(keyFile), /everybody on this machine may read it \(mode 644\): chmod 600/);
    chmodSync(keyFile, 0o640);
    assert.ok(readPair(keyFile), 'a group may, for that is how they are mounted');
  });

  test('trust, list and untrust keep the list, with the comments that people write', () => {
    assert.equal(said('list'), `nobody is trusted in ${trustFile}`);
    assert.equal(said('trust', someKey, '--name', 'box-7'), `trusted: ${someKey} (box-7), in ${trustFile}`);
    appendFileSync(trustFile, '\n# the old ones\n');
    said('trust', other);
    assert.equal(said('list'), `${someKey}  box-7\n${other}`);
    assert.deepEqual(JSON.parse(said('list', '--json')), [
      { key: someKey, name: 'box-7' },
      { key: other, name: '' },
    ]);
    assert.match(said('untrust', 'box-7'), /^not trusted any more: .* \(box-7\)/);
    assert.equal(said('list'), other);
    assert.match(readFileSync(trustFile, 'utf8'), /^# the old ones$/m);
  });

  test('a list that everybody may write is refused', { skip: process.platform === 'win32' }, () => {
    chmodSync(trustFile, 0o666);
    assert.throws(() => said('list'), /everybody on this machine may write it \(mode 666\): chmod 644/);
    assert.throws(() => said('trust', someKey), /everybody on this machine may write it/);
    chmodSync(trustFile, 0o664);
    assert.equal(said('list'), other);
  });

  test('the list is changed by one command at a time', async () => {
    const before = readFileSync(trustFile, 'utf8');
    const lock = `${trustFile}.lock`;
    writeFileSync(lock, '');
    const busy = /another command is changing it, or was killed at it: then remove .*trusted\.lock/;
    assert.throws(() => addTrusted(trustFile, { key: someKey, name: '' }, 30), busy);
    assert.throws(() => removeTrusted(trustFile, other, 30), busy);
    assert.equal(readFileSync(trustFile, 'utf8'), before);
    const keys = [makePair(), makePair()].map(({ publicKey }) => publicKey);
    const waiting = keys.map((key) => {
      const args = ['runtime', 'keys', 'trust', key, '--trust-file', trustFile];
      return new Promise((resolve) => execFile(process.execPath, args, { cwd: root }, resolve));
    });
    rmSync(lock);
    assert.deepEqual(await Promise.all(waiting), [null, null]);
    assert.deepEqual(said('list').split('\n').sort(), [other, ...keys].sort());
    assert.deepEqual(readdirSync(folder).sort(), ['node.key', 'trusted']);
    for (const key of keys) said('untrust', key);
  });

  test('what is wrong is said', () => {
    assert.throws(() => said('trust', other), /is listed already/);
    assert.throws(
      () => said('trust', 'xyz'),
      /"xyz" is no public key: wanted are 64 hex.* \(it has 3 characters\)/,
    );
    assert.throws(() => said('trust', other.toUpperCase()), /in small letters/);
    assert.throws(() => said('trust', someKey, '--name', 'a b'), /--name is "a b"; allowed is 1 to 100/);
    const secret = readFileSync(keyFile, 'utf8').split('\n')[1] as string;
    assert.throws(() => said('trust', secret), /that is the secret key of this node/);
    const nobody = `${trustFile}: nobody is neither a key nor a name there`;
    assert.throws(() => said('untrust', 'nobody'), { message: nobody });
    const astray = join(folder, 'etcc', 'signalbox', 'trusted');
    assert.throws(() => said('trust', someKey, '--trust-file', astray), /the folder .*etcc is not there/);
    assert.ok(!existsSync(join(folder, 'etcc')));
    assert.throws(() => said('trust'), /keys trust needs a public key/);
    assert.throws(() => said('list', '--trust-file', astray, '--json'), /--trust-file .* is not there/);
    assert.throws(() => said('list', 'all'), /keys list takes no words; all is too many/);
    assert.throws(() => said('list', '--force'), /keys list takes no --force/);
    assert.throws(() => said('trusst'), /keys trusst is not known; did you mean trust\?/);
    assert.throws(() => said(), /keys needs a verb; there are new, show/);
    assert.throws(
      () => keysText(['show', '--key-file', join(folder, 'none')], {}),
      /none: there is no such file: `node runtime keys new` makes one$/,
    );
    assert.match(said('--help'), /node runtime keys untrust/);
  });

  test('a list with a fault names its line', () => {
    const faults: [string, RegExp][] = [
      [`# whom\n\n${someKey} box-7 # mine\n`, /^$/],
      [`${someKey}\nzz`, /line 2 has "zz" where a key is wanted/],
      [`${someKey} a\n# and\n${someKey} b`, /line 3 has a key that an earlier line has already/],
      [`${someKey} two words`, /line 1 has "two words" as a name/],
      [`${someKey.slice(1)}`, /line 1 has .* where a key is wanted: 64/],
    ];
    for (const [text, wanted] of faults) {
      let amiss = '';
      try {
        parseTrusted(text);
      } catch (fault) {
        amiss = (fault as Error).message;
      }
      assert.match(amiss, wanted);
    }
  });

  test('a list that is named has to be there, and to be one', () => {
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, takes: () => false };
    const start = (...args: string[]): KeyKeeper => {
      const { config } = loadConfig(['--key-file', keyFile, ...args], {});
      const keeper = new KeyKeeper(config, ownPair(config), log, () => {});
      keeper.start();
      return keeper;
    };
    assert.throws(
      () => start('--trust-file', join(folder, 'none')),
      /trusted keys .*none is no good: it is not there/,
    );
    assert.throws(() => start('--trust-file', keyFile.replace('node.key', '')), /is no good: it is a folder/);
    const { ring } = start();
    assert.ok(ring.trusts(other) && ring.trusts(readPair(keyFile).publicKey) && !ring.trusts(someKey));
  });

  test('settings that do not go together end the start with what to do', () => {
    writeFileSync(join(folder, 'empty'), '# no key\n');
    const plan = (...args: string[]) => planOf(loadConfig(args, {}).config);
    const at = '10.0.0.1:7000';
    const own = ['--key-file', keyFile];
    const faults: [string[], RegExp][] = [
      [['--endpoint', `tcp://${at}`], /reachable from other machines, and this node has no keys: .*keys new/],
      [
        [...own, '--role', 'worker', '--join', `tcp://${at}`],
        /does not say whose key is there: write tcp:\/\/</,
      ],
      [['--role', 'worker', '--join', `tcp://${other}@${at}`], /this node has none to answer with/],
      [
        [...own, '--endpoint', `tcp://${other}@${at}`],
        /--endpoint names a key: that of this node is put there/,
      ],
      [['--trust-file', trustFile], /--trust-file says whom to trust, and --key-file is missing/],
      [['--key-file', join(folder, 'empty')], /--key-file .* is no good: it holds no secret key/],
      [
        ['--key-file', join(folder, 'none')],
        /--key-file .* is no good: there is no such file: `node runtime keys new` makes one/,
      ],
      [[...own, '--host', '0.0.0.0'], /--host 0\.0\.0\.0 is reachable .* the doors know no keys yet/],
    ];
    for (const [args, wanted] of faults) assert.throws(() => plan(...args), wanted);
    const { bind, self, pair } = plan(...own, '--endpoint', `tcp://${at}`, '--advertise', 'tcp://box-7:7001');
    assert.deepEqual(
      [bind, self.endpoint],
      [`tcp://${pair?.publicKey}@${at}`, `tcp://${pair?.publicKey}@box-7:7001`],
    );
    assert.equal(plan(...own).bind.startsWith('ipc://'), true, 'on one machine nothing changes');
  });
});

test('keys are those of ZeroMQ in other letters', () => {
  const theirs = curveKeyPair();
  const digits = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';
  const hex = (text: string): string =>
    (text.match(/.{5}/g) ?? [])
      .map((part) => [...part].reduce((value, digit) => value * 85 + digits.indexOf(digit), 0))
      .map((value) => value.toString(16).padStart(8, '0'))
      .join('');
  assert.equal(z85(hex(theirs.publicKey)), theirs.publicKey);
  assert.equal(pairOf(hex(theirs.secretKey)).publicKey, hex(theirs.publicKey));
});

test('an endpoint carries the key of whoever is there', () => {
  assert.equal(withKey('tcp://box-7:7001', someKey), `tcp://${someKey}@box-7:7001`);
  assert.equal(withKey(`tcp://${someKey}@box-7:7001`, other), `tcp://${someKey}@box-7:7001`);
  assert.equal(withKey('ipc:///run/a.sock', someKey), 'ipc:///run/a.sock');
  assert.equal(keyIn(`tcp://${someKey}@[::1]:7001`), someKey);
  for (const endpoint of ['tcp://box-7:7001', 'ipc:///run/a@b', 'tcp://short@box-7:7001']) {
    assert.equal(keyIn(endpoint), '');
  }
});
