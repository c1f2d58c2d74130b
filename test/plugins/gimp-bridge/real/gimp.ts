/** @file Runs GIMP's batch in a chroot, with the plug-in installed and the service on this side. */
import { spawn } from 'node:child_process';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { install } from '../../../../plugins/gimp-bridge/install.ts';
import type { Suite } from './chroot.ts';

/** Folder of a run, as the chroot sees it. */
export const inside = '/tmp/osediff-test';

/** What a batch printed, and how long it took. */
export interface BatchOutcome {
  readonly output: string;
  readonly seconds: number;
}

/**
 * Makes the run's folder anew, with the plug-in in it.
 *
 * @param command what the plug-in starts where no engine runs; it has to be there in the chroot
 * @returns the folder on this side
 */
export async function prepare(
  root: string,
  command: readonly string[] = ['false'],
): Promise<string> {
  const folder = join(root, inside);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await install([join(folder, 'gimp')], command);
  await copyFile(fileURLToPath(new URL('cases.py', import.meta.url)), join(folder, 'cases.py'));
  return folder;
}

/** Environment of GIMP in the chroot. */
export function environment(variables: Readonly<Record<string, string>>): readonly string[] {
  const usual = { HOME: '/root', LC_ALL: 'C.UTF-8', PATH: '/usr/bin:/bin' };
  const own = { GIMP3_DIRECTORY: `${inside}/gimp`, OSEDIFF_HOME: inside };
  return Object.entries({ ...usual, ...own, ...variables }).map(
    ([key, value]) => `${key}=${value}`,
  );
}

/** Runs cases.py. */
export async function runBatch(
  root: string,
  { gimp }: Suite,
  variables: Readonly<Record<string, string>>,
): Promise<BatchOutcome> {
  const code = `exec(open('${inside}/cases.py').read())`;
  const program = [`gimp-console-${gimp}`, '--no-splash', '--quit'];
  const batch = ['--batch-interpreter', 'python-fu-eval', '-b', code];
  const start = performance.now();
  const child = spawn(
    'nice',
    ['-n', '10', 'chroot', root, 'env', '-i', ...environment(variables), ...program, ...batch],
    { stdio: ['ignore', 'pipe', 'pipe'], timeout: 900_000 },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => (output += part));
  }
  await new Promise((resolve, reject) => {
    child.on('close', resolve);
    child.on('error', reject);
  });
  return { output, seconds: (performance.now() - start) / 1000 };
}
