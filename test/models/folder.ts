// A model repository in a folder of its own, written from a list of files and removed at the end.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-models-'));
let folders = 0;
after(() => rmSync(folder, { recursive: true, force: true }));

/** The path of a new folder with these files in it. */
export function folderOf(files: Readonly<Record<string, string | Uint8Array>>): string {
  folders += 1;
  const path = join(folder, String(folders));
  mkdirSync(path);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return path;
}
