// What tells one state of a model's files from another: a copy that brings size and time along is another all the same.
import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultModelConfig } from '../../runtime/models/config.js';
import { stampOf } from '../../runtime/models/stamp.js';

test('other bytes with the same size and time have another stamp; nothing done, the same', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'signalbox-stamp-'));
  try {
    const file = join(folder, '1', 'model.onnx');
    await mkdir(join(folder, '1'));
    const write = async (path: string, content: string): Promise<void> => {
      await writeFile(path, content);
      await utimes(path, 1000, 1000);
    };
    await write(file, 'one');
    const before = await stampOf(folder, '1', defaultModelConfig);
    assert.equal(await stampOf(folder, '1', defaultModelConfig), before);
    await write(join(folder, 'beside.md'), 'two');
    await copyFile(join(folder, 'beside.md'), join(folder, '.new'));
    await utimes(join(folder, '.new'), 1000, 1000);
    await rename(join(folder, '.new'), file);
    assert.notEqual(await stampOf(folder, '1', defaultModelConfig), before);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
