// SwiftShader, a Vulkan driver that computes on the CPU: with it WebGPU can be tried on a machine without a GPU. `.ci/run`
// fetches it where it can.
import { copyFileSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Scratch } from './harness.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const kept = join(root, '.cache', 'swiftshader');
const files = ['vk_swiftshader_icd.json', 'libvk_swiftshader.so', 'libvulkan.so.1'] as const;

/** Why it can't be used here; false when it can. */
export const noSwiftShader: string | false =
  files.every((file) => existsSync(join(kept, file))) && process.platform === 'linux'
    ? false
    : 'there is no SwiftShader in .cache/swiftshader: .ci/run fetches it on Debian, as root';

export interface Driver {
  readonly environment: Readonly<Record<string, string>>;
  /** What names the driver: without it there is none. */
  readonly manifest: string;
}

/** A copy of its own, which a test may break. */
export function installDriver(scratch: Scratch): Driver {
  for (const file of files) copyFileSync(join(kept, file), scratch.path(file));
  const manifest = scratch.path(files[0]);
  return {
    manifest,
    environment: {
      VK_DRIVER_FILES: manifest,
      VK_ICD_FILENAMES: manifest,
      XDG_RUNTIME_DIR: scratch.folder,
      LD_LIBRARY_PATH: scratch.folder,
    },
  };
}
