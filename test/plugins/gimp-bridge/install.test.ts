import { chmodSync, mkdirSync, statSync, utimesSync } from 'node:fs';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { PathError } from 'osediff';
import { gimpFolders } from '../../../plugins/gimp-bridge/gimp-folders.ts';
import {
  inspect,
  install,
  type PlugInState,
  type StartNotes,
  uninstall,
} from '../../../plugins/gimp-bridge/install.ts';
import { temporaryFolder } from '../../helpers/folder.ts';

const finds = test.macro(
  async (
    t,
    {
      there,
      platform = 'linux',
      env = {},
    }: { there: readonly string[]; platform?: NodeJS.Platform; env?: Record<string, string> },
    wanted: readonly string[],
  ) => {
    const home = temporaryFolder(t);
    for (const folder of there) mkdirSync(join(home, folder), { recursive: true });
    const at = (path: string): string => path.replaceAll('~', home);
    const variables = Object.fromEntries(Object.entries(env).map(([k, v]) => [k, at(v)]));
    const found = await gimpFolders({ env: variables, platform, home });
    t.deepEqual(found.map((path) => path.replaceAll('\\', '/')), wanted.map(at)); // prettier-ignore
  },
);

const old = ['.config/GIMP/2.10', '.config/GIMP/3.0', '.config/GIMP/3.4'];
test('finds every GIMP 3 on Linux', finds, { there: old }, ['~/.config/GIMP/3.0', '~/.config/GIMP/3.4']); // prettier-ignore
test('names the tested versions where GIMP has not run yet', finds, { there: [] }, ['~/.config/GIMP/3.0', '~/.config/GIMP/3.2']); // prettier-ignore
test('minds XDG_CONFIG_HOME', finds, { there: ['x/GIMP/3.2'], env: { XDG_CONFIG_HOME: '~/x' } }, ['~/x/GIMP/3.2']); // prettier-ignore
test('finds GIMP in Flatpak', finds, { there: ['.var/app/org.gimp.GIMP/config/GIMP/3.2'] }, ['~/.var/app/org.gimp.GIMP/config/GIMP/3.2']); // prettier-ignore
test('finds GIMP in Flatpak beside another', finds, { there: ['.var/app/org.gimp.GIMP/cache', '.config/GIMP/3.0'] }, ['~/.config/GIMP/3.0', '~/.var/app/org.gimp.GIMP/config/GIMP/3.0', '~/.var/app/org.gimp.GIMP/config/GIMP/3.2']); // prettier-ignore
test('finds GIMP on macOS', finds, { there: ['Library/Application Support/GIMP/3.0'], platform: 'darwin' }, ['~/Library/Application Support/GIMP/3.0']); // prettier-ignore
test('GIMP3_DIRECTORY stands for all others', finds, { there: old, env: { GIMP3_DIRECTORY: '~/mine' } }, ['~/mine']); // prettier-ignore
test('a relative GIMP3_DIRECTORY is below the home folder', finds, { there: old, env: { GIMP3_DIRECTORY: 'mine' } }, ['~/mine']); // prettier-ignore

const command = [process.execPath, 'main.js', 'serve'];

function newGimp(t: ExecutionContext): { gimp: string; path: string; folder: string } {
  const gimp = join(temporaryFolder(t), '3.0');
  const folder = join(gimp, 'plug-ins', 'osediff-bridge');
  return { gimp, folder, path: join(folder, 'osediff-bridge.py') };
}

test('installs an executable file in a folder of its own name', async (t) => {
  const { gimp, path } = newGimp(t);
  t.deepEqual(await install([gimp], command), [path]);
  t.regex(await readFile(path, 'utf8'), /^#!\/usr\/bin\/env python3\n/);
  if (process.platform !== 'win32') t.is(statSync(path).mode & 0o777, 0o755);
  t.true(statSync(path).mtimeMs > 0); // GIMP does not read files of the year 1970 again
  t.deepEqual(await inspect([gimp]), [{ path, state: 'installed' }]);
});

test('tells the plug-in how to start the engine and where to find it', async (t) => {
  const { gimp, folder } = newGimp(t);
  await install([gimp], command);
  const notes = JSON.parse(await readFile(join(folder, 'start.json'), 'utf8')) as StartNotes;
  t.deepEqual(notes.command, command);
  t.regex(notes.endpoint, /engine\.json$/);
});

test('installs over an older or damaged one', async (t) => {
  const { gimp, path } = newGimp(t);
  await install([gimp], command);
  await appendFile(path, '# older');
  chmodSync(path, 0o644);
  utimesSync(path, 0, 0);
  await install([gimp], command);
  t.like((await inspect([gimp]))[0], { state: 'installed' });
  if (process.platform !== 'win32') t.is(statSync(path).mode & 0o777, 0o755);
});

const diagnoses = test.macro(
  async (
    t,
    state: PlugInState['state'],
    harm: (path: string, folder: string) => Promise<void> | void,
  ) => {
    const { gimp, path, folder } = newGimp(t);
    await install([gimp], command);
    await harm(path, folder);
    const [found] = await inspect([gimp]);
    t.is(found!.state, state);
    t.regex(found!.remedy!, /Run "osediff gimp install" and restart GIMP\.$/);
  },
);

test('(missing)', diagnoses, 'missing', (path) => rm(path));
test('(another version)', diagnoses, 'outdated', (path) => appendFile(path, '\n'));
const posix = process.platform === 'win32' ? test.skip : test;
posix('(not executable)', diagnoses, 'not executable', (path) => chmodSync(path, 0o644));
test('(no start.json)', diagnoses, 'no engine', (_, folder) => rm(join(folder, 'start.json')));
test('(osediff moved away)', diagnoses, 'no engine', (_, folder) =>
  writeFile(
    join(folder, 'start.json'),
    JSON.stringify({ command: ['/nowhere/node', 'x', 'serve'], endpoint: 'y' }),
  ),
);

test('uninstalls what it installed, and leaves the rest', async (t) => {
  const { gimp, path, folder } = newGimp(t);
  await install([gimp], command);
  await writeFile(join(folder, 'mine.txt'), '');
  t.deepEqual(await uninstall([gimp]), [path]);
  t.true(statSync(join(folder, 'mine.txt')).isFile());
  await install([gimp], command);
  await rm(join(folder, 'mine.txt'));
  await uninstall([gimp]);
  t.throws(() => statSync(folder), { code: 'ENOENT' });
  t.deepEqual(await uninstall([gimp]), []);
});

test('says which folder may not be written', async (t) => {
  const gimp = join(temporaryFolder(t), 'file');
  await writeFile(gimp, '');
  await t.throwsAsync(install([gimp], command), {
    instanceOf: PathError,
    message: /osediff-bridge\.py: expected to change it, got .* --gimp-dir\.$/,
  });
});
