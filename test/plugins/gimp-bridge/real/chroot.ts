/** @file GIMP in a chroot of a Debian suite, made once and kept in the cache. */
import { execFile } from 'node:child_process';
import { access, chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A Debian suite and the GIMP that it has. */
export interface Suite {
  readonly name: string;
  readonly gimp: '3.0' | '3.2';
}

/** The suites with a GIMP 3. */
export const suites: readonly Suite[] = [
  { name: 'trixie', gimp: '3.0' },
  { name: 'forky', gimp: '3.2' },
];

const packages = ['gimp', 'xvfb', 'xdotool', 'imagemagick'];
const scripts = '/usr/share/debootstrap/scripts';

/** Folder of the chroots: OSEDIFF_TEST_CACHE, else in the user's cache. */
function cacheFolder(): string {
  const cache = process.env['OSEDIFF_TEST_CACHE'] ?? join(homedir(), '.cache', 'osediff-test');
  return join(cache, 'gimp');
}

/** The chroot of a suite, made where there is none. @returns its root, or why there is none */
export async function chroot({ name }: Suite): Promise<{ root: string } | { missing: string }> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return { missing: 'needs root' };
  const root = join(cacheFolder(), name);
  if (await isThere(join(root, 'usr', 'bin', 'gimp'))) return { root };
  try {
    await run('debootstrap', ['--version']);
  } catch {
    return { missing: 'needs debootstrap' };
  }
  try {
    await make(name, root);
    return { root };
  } catch (error) {
    const lines = (error as Error).message.trim().split('\n');
    return { missing: `debootstrap failed: ${lines.at(-1)}` };
  }
}

async function make(name: string, root: string): Promise<void> {
  const part = `${root}.part`;
  await rm(part, { recursive: true, force: true });
  await mkdir(part, { recursive: true });
  // An older debootstrap does not know newer suites; all are made the same way.
  await symlink('sid', join(scripts, name)).catch(() => undefined);
  const options = ['--variant=minbase', '--include=ca-certificates'];
  await quietly('debootstrap', [...options, name, part, 'http://deb.debian.org/debian']);
  const policy = join(part, 'usr', 'sbin', 'policy-rc.d');
  await writeFile(policy, '#!/bin/sh\nexit 101\n'); // no service is started
  await chmod(policy, 0o755);
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
  await quietly('chroot', [part, 'env', 'DEBIAN_FRONTEND=noninteractive', ...install]);
  await quietly('chroot', [part, 'apt-get', 'clean']);
  await rename(part, root);
}

async function quietly(command: string, args: readonly string[]): Promise<void> {
  await run('nice', ['-n', '10', command, ...args], { maxBuffer: 64 << 20 });
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
