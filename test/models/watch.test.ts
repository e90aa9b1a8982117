// A repository that is watched: what counts as a change, and when it is taken up.
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Log } from '../../runtime/log.js';
import { ModelWatch } from '../../runtime/models/watch.js';
import { folderOf } from './folder.js';

class Stage {
  readonly folder: string;
  readonly taken: string[] = [];
  readonly said: string[] = [];
  readonly watch: ModelWatch;
  /** What the next change is answered with. */
  answer: () => Promise<void> = async () => {};

  constructor(files: Readonly<Record<string, string>>) {
    this.folder = folderOf(files);
    const say = (event: string): void => void this.said.push(event);
    this.watch = new ModelWatch({
      folder: this.folder,
      intervalMs: 1000,
      log: { info: say, warn: say, error: say, debug: say, takes: () => true } satisfies Log,
      changed: (name) => this.note(name),
      removed: (name) => this.note(`${name} is gone`),
    });
  }

  static async watching(files: Readonly<Record<string, string>>): Promise<Stage> {
    const stage = new Stage(files);
    await stage.watch.remember();
    return stage;
  }

  put(path: string, content: string): void {
    mkdirSync(join(this.folder, path, '..'), { recursive: true });
    writeFileSync(join(this.folder, path), content);
  }

  /** What was taken up by so many looks. */
  async look(times = 1): Promise<string[]> {
    const before = this.taken.length;
    for (let at = 0; at < times; at++) await this.watch.review();
    return this.taken.slice(before);
  }

  private note(what: string): Promise<void> {
    this.taken.push(what);
    return this.answer();
  }
}

const one = { 'a/1/model.onnx': 'first', 'b/config.yaml': 'backend: echo' };

test('what stays as it is is left alone', async () => {
  const stage = await Stage.watching(one);
  assert.deepEqual(await stage.look(3), []);
});

test('a change is taken up by the second look that finds the same, and once', async () => {
  const stage = await Stage.watching(one);
  stage.put('a/1/model.onnx', 'second, longer');
  assert.deepEqual(await stage.look(), []);
  assert.deepEqual(await stage.look(), ['a']);
  assert.deepEqual(await stage.look(2), []);
});

test('a file that still grows is waited for', async () => {
  const stage = await Stage.watching(one);
  for (const content of ['x', 'xx', 'xxx']) {
    stage.put('c/1/model.onnx', content);
    assert.deepEqual(await stage.look(), []);
  }
  assert.deepEqual(await stage.look(), ['c']);
});

test('configurations, new versions, new models and those that go are changes; notes beside them are none', async () => {
  const stage = await Stage.watching(one);
  stage.put('b/config.yaml', 'backend: echo # changed');
  stage.put('a/2/model.onnx', 'another');
  stage.put('d/1/model.onnx', 'new');
  assert.deepEqual((await stage.look(2)).sort(), ['a', 'b', 'd']);
  stage.put('a/README.md', 'a note');
  stage.put('.hidden/1/model.onnx', 'nobody');
  stage.put('loose', 'no folder');
  assert.deepEqual(await stage.look(2), []);
  rmSync(join(stage.folder, 'b'), { recursive: true });
  assert.deepEqual(await stage.look(2), ['b is gone']);
});

test('a folder that is replaced within a moment is one change', async () => {
  const stage = await Stage.watching(one);
  stage.put('.next/1/model.onnx', 'another one');
  rmSync(join(stage.folder, 'a'), { recursive: true });
  renameSync(join(stage.folder, '.next'), join(stage.folder, 'a'));
  assert.deepEqual(await stage.look(2), ['a']);
});

test('what changes while a change of it is taken up is taken up after that', async () => {
  const stage = await Stage.watching(one);
  let done: () => void = () => {};
  stage.answer = () =>
    new Promise<void>((resolve) => {
      done = resolve;
    });
  stage.put('a/1/model.onnx', 'second, longer');
  assert.deepEqual(await stage.look(2), ['a']);
  stage.put('a/1/model.onnx', 'third, and longer still');
  assert.deepEqual(await stage.look(3), []);
  done();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await stage.look(), ['a']);
});

test('a change that can not be served is said, and not tried again before the next one', async () => {
  const stage = await Stage.watching(one);
  stage.answer = () => Promise.reject(new Error('it is no model'));
  stage.put('a/1/model.onnx', 'rubbish, longer');
  assert.deepEqual(await stage.look(3), ['a']);
  assert.deepEqual(stage.said, ['folder.changed', 'folder.unserved']);
});

test('a repository that can not be read is not an empty one, and is said once', async () => {
  const stage = await Stage.watching(one);
  renameSync(stage.folder, `${stage.folder}-away`);
  assert.deepEqual(await stage.look(3), []);
  assert.deepEqual(stage.said, ['repository.unreadable']);
  renameSync(`${stage.folder}-away`, stage.folder);
  assert.deepEqual(await stage.look(2), []);
});
