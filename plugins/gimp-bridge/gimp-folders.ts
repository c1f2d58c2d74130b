/** @file Where GIMP 3 keeps a user's settings and plug-ins (GIMP's gimpenv.c, and Flatpak's sandbox). */
import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, posix, win32 } from 'node:path';

/** What a search for GIMP depends on. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly platform: NodeJS.Platform;
  readonly home: string;
}

/** Versions that get a folder where GIMP has not been started yet: those that were tested. */
const tested = ['3.0', '3.2'];

/** The surroundings of this process. */
export function here(): Surroundings {
  return { env: process.env, platform: process.platform, home: homedir() };
}

/**
 * Settings folders of every GIMP 3 found, one a minor version; each has, or gets, a `plug-ins`.
 * `GIMP3_DIRECTORY` stands for all others, as it does for GIMP.
 */
export async function gimpFolders(around: Surroundings = here()): Promise<readonly string[]> {
  const { env, home } = around;
  const fixed = env['GIMP3_DIRECTORY'];
  if (fixed) return [isAbsolute(fixed) ? fixed : join(home, fixed)];
  const own = usualBase(around);
  const flatpak = join(home, '.var', 'app', 'org.gimp.GIMP');
  const sandboxed = (await namesIn(flatpak)).length > 0;
  const folders = await versionsIn(own);
  if (!sandboxed) return folders.length > 0 ? folders : tested.map((name) => join(own, name));
  const base = join(flatpak, 'config', 'GIMP');
  const inside = await versionsIn(base);
  // GIMP in Flatpak takes ~/.config/GIMP where it exists, else its own folder.
  return [...folders, ...(inside.length > 0 ? inside : tested.map((name) => join(base, name)))];
}

/** The folder that has one folder a version. */
function usualBase({ env, platform, home }: Surroundings): string {
  if (platform === 'win32') {
    return win32.join(env['APPDATA'] || win32.join(home, 'AppData', 'Roaming'), 'GIMP');
  }
  if (platform === 'darwin') {
    return posix.join(home, 'Library', 'Application Support', 'GIMP');
  }
  const xdg = env['XDG_CONFIG_HOME'];
  return posix.join(xdg?.startsWith('/') ? xdg : posix.join(home, '.config'), 'GIMP');
}

async function versionsIn(base: string): Promise<readonly string[]> {
  const versions = (await namesIn(base)).filter((name) => /^3\.\d+$/.test(name));
  return versions.sort().map((name) => join(base, name));
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}
