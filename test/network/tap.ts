// A link with faults that needs no more of the kernel than TAP devices: two of them, and a process in between that hands on
// what comes. To have a device takes one call that Node has not; Perl or Python makes it and then becomes that process.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Faults } from './faults.js';
import { ip, prefix, whyNot } from './ip.js';
import type { Ends, Link } from './link.js';

const device = '/dev/net/tun';
const forwarder = fileURLToPath(new URL('forwarder.js', import.meta.url));
const seed = 1;

/** TUNSETIFF with IFF_TAP and IFF_NO_PI, for each of two names; then whatever comes after them is run with both devices. */
const attachers = {
  perl: [
    '-e',
    `$^F = 255; my @taps; for my $name (splice @ARGV, 0, 2) {
       open my $tap, '+<', '${device}' or die "$!"; ioctl $tap, 0x400454ca, pack('a16Sx22', $name, 0x1002) or die "$!";
       push @taps, $tap;
     } exec @ARGV, map { fileno $_ } @taps or die "$!";`,
  ],
  python3: [
    '-c',
    `import fcntl, os, struct, sys
taps = [os.open('${device}', os.O_RDWR) for _ in range(2)]
for tap, name in zip(taps, sys.argv[1:3]):
    fcntl.ioctl(tap, 0x400454ca, struct.pack('16sH22x', name.encode(), 0x1002)); os.set_inheritable(tap, True)
os.execvp(sys.argv[3], sys.argv[3:] + [str(tap) for tap in taps])`,
  ],
} as const;
type Attacher = keyof typeof attachers;

let attacher: Attacher | undefined;

export function whyNoTap(): string | false {
  const why = whyNot(() => accessSync(device, constants.R_OK | constants.W_OK));
  if (why !== false) return `there is no ${device} for TAP devices`;
  const probe = `${prefix}t`;
  const reasons = (Object.keys(attachers) as Attacher[]).map((command) => {
    const reason = whyNot(() => {
      const args = [...attachers[command], probe, `${probe}p`, process.execPath, '-e', ''];
      execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    });
    if (reason === false) attacher ??= command;
    return reason && `${command}: ${reason.split('\n').slice(0, 2).join(' ')}`;
  });
  return attacher === undefined && `neither Perl nor Python can have a TAP device (${reasons.join('; ')})`;
}

export async function tap({ near, space }: Ends): Promise<Link> {
  const far = `${near}x`;
  const command = attacher as Attacher;
  const child = spawn(
    command,
    [...attachers[command], near, far, process.execPath, forwarder, String(seed)],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { PATH: process.env.PATH ?? '' },
    },
  );
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the process in the middle of a link ended with ${code}`);
  });
  ended.catch(() => {});
  const answer = (): Promise<unknown> => Promise.race([once(child, 'message'), ended]);
  await answer();
  ip('link', 'set', far, 'netns', space, 'name', 'eth0');
  return {
    set: async (faults: Faults) => {
      child.send(faults);
      await answer();
    },
    remove: () => child.kill('SIGKILL'),
  };
}
