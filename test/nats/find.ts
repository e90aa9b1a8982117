// Finds a nats-server on this machine, or gets one without installing anything: built by Go, or taken out of Debian's
// package, into a cache folder of this user. Tests only find; `npm run nats` also gets.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Names an executable. */
export const serverVariable = 'NATS_SERVER';
const executable = 'nats-server';
const goModule = 'github.com/nats-io/nats-server/v2@latest';

export interface Found {
  readonly path: string;
  /** As it says of itself: `v2.15.2`. */
  readonly version: string;
}

export interface Search {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told what takes long. */
  readonly say: (line: string) => void;
  readonly waitMs: number;
}

type Environment = Search['environment'];

export const howToGetOne =
  `no nats-server was found: name one by ${serverVariable}, put one on the PATH, or have Go (\`go install ${goModule}\`) ` +
  'or Debian (`apt-get install nats-server`) bring one';

export function cacheFolder(environment: Environment): string {
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'signalbox', 'nats');
}

/** Throws where the variable names something that is no server: that is no reason to look elsewhere. */
export function findServer(environment: Environment = process.env): Found | undefined {
  const named = environment[serverVariable];
  if (named) {
    const version = versionOf(named);
    if (version !== undefined) return { path: named, version };
    throw new Error(`${serverVariable} is ${named}, which is no nats-server that runs here`);
  }
  const folders = [...(environment.PATH ?? '').split(delimiter), cacheFolder(environment)];
  for (const folder of folders.filter((one) => one !== '')) {
    const path = join(folder, executable);
    const version = isExecutable(path) ? versionOf(path) : undefined;
    if (version !== undefined) return { path, version };
  }
  return undefined;
}

/** The one that is there, or else one that is got now. */
export function getServer(search: Search): Found {
  const found = findServer(search.environment);
  if (found !== undefined) return found;
  const folder = cacheFolder(search.environment);
  const scratch = mkdtempSync(join(tmpdir(), 'signalbox-nats-'));
  try {
    for (const bring of [byGo, byDebian]) {
      const brought = bring(scratch, search);
      if (brought === undefined || versionOf(brought) === undefined) continue;
      mkdirSync(folder, { recursive: true });
      cpSync(brought, join(folder, executable));
      search.say(`it is kept in ${folder}`);
      break;
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const got = findServer(search.environment);
  if (got === undefined) throw new Error(howToGetOne);
  return got;
}

function byGo(scratch: string, search: Search): string | undefined {
  if (!runs('go', ['version'], scratch, search)) return undefined;
  search.say(`building ${executable} with Go, which takes a minute or two`);
  const bin = join(scratch, 'bin');
  const built = runs('go', ['install', goModule], scratch, search, { GOBIN: bin, GOFLAGS: '' });
  if (!built) search.say('Go could not build it');
  return built ? join(bin, executable) : undefined;
}

/** Its package is unpacked beside, not installed. */
function byDebian(scratch: string, search: Search): string | undefined {
  if (!runs('dpkg', ['--version'], scratch, search)) return undefined;
  search.say("taking nats-server out of Debian's package");
  const download = (): boolean => runs('apt-get', ['download', 'nats-server'], scratch, search);
  const isRoot = process.getuid?.() === 0;
  if (!download() && !(isRoot && runs('apt-get', ['update'], scratch, search) && download())) {
    search.say(
      `apt-get could not fetch it${isRoot ? '' : '; as root it could bring its lists up to date first'}`,
    );
    return undefined;
  }
  const unpack = 'dpkg -x nats-server_*.deb unpacked';
  return runs('sh', ['-c', unpack], scratch, search)
    ? join(scratch, 'unpacked', 'usr', 'sbin', executable)
    : undefined;
}

function runs(
  command: string,
  args: readonly string[],
  cwd: string,
  { environment, waitMs }: Search,
  more: Readonly<Record<string, string>> = {},
): boolean {
  const env = { ...environment, ...more };
  return spawnSync(command, args, { cwd, env, stdio: 'ignore', timeout: waitMs }).status === 0;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function versionOf(path: string): string | undefined {
  const said = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 }).stdout ?? '';
  return /nats-server:? v?(\d+\.\d+\.\d+)/.exec(said)?.[1];
}
