import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { mainFile, type Outcome, runCli } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/folder.ts';

// Serial: an environment variable names the folder where the service would be.

function run(t: ExecutionContext, ...args: string[]): Promise<Outcome> {
  process.env['OSEDIFF_HOME'] = temporaryFolder(t);
  return runCli(['gimp', ...args], { file: mainFile });
}

test.serial('gimp install prints the paths and says to restart', async (t) => {
  const gimp = temporaryFolder(t);
  const path = join(gimp, 'plug-ins', 'osediff-bridge', 'osediff-bridge.py');
  const { code, stdout, stderr } = await run(t, 'install', '--gimp-dir', gimp);
  t.deepEqual([code, stdout], [0, `${path}\n`]);
  t.is(stderr, 'Restart GIMP; the entry is Filters > Enhance > Neural Upscale.\n');
  const notes = JSON.parse(
    readFileSync(join(gimp, 'plug-ins', 'osediff-bridge', 'start.json'), 'utf8'),
  ) as { command: string[] };
  t.is(notes.command[0], process.execPath);
  t.deepEqual(notes.command.slice(-2), [mainFile, 'serve']);
});

test.serial('gimp status tells where the plug-in is and whether the engine runs', async (t) => {
  const gimp = temporaryFolder(t);
  const before = await run(t, 'status', '--gimp-dir', gimp);
  t.regex(before.stdout, /osediff-bridge\.py: missing\. Run "osediff gimp install"/);
  t.regex(before.stdout, /^engine: not running; /m);
  await run(t, 'install', '--gimp-dir', gimp);
  const { code, stdout } = await run(t, 'status', '--gimp-dir', gimp, '--json');
  t.is(code, 0);
  const { plugIns, engine } = JSON.parse(stdout) as { plugIns: object[]; engine: unknown };
  t.like(plugIns, [{ state: 'installed' }]);
  t.is(engine, null);
});

test.serial('gimp uninstall takes it out', async (t) => {
  const gimp = temporaryFolder(t);
  await run(t, 'install', '--gimp-dir', gimp);
  const { stdout } = await run(t, 'uninstall', '--gimp-dir', gimp);
  t.regex(stdout, /osediff-bridge\.py\n$/);
  const again = await run(t, 'uninstall', '--gimp-dir', gimp);
  t.deepEqual([again.code, again.stdout], [0, '']);
  t.is(again.stderr, 'The plug-in was in none of its folders.\n');
});
