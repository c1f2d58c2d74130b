import { statSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { findService } from '../../plugins/gimp-bridge/find.ts';
import { mainFile, runCli, startCli } from '../helpers/cli.ts';
import { temporaryFolder } from '../helpers/folder.ts';

// Serial: an environment variable names the folder where the service writes its file.

function home(t: ExecutionContext): string {
  const folder = temporaryFolder(t);
  process.env['OSEDIFF_HOME'] = folder;
  return join(folder, 'engine.json');
}

const posix = process.platform === 'win32' ? test.serial.skip : test.serial;

posix('serve prints its file, and stops orderly when it is told to', async (t) => {
  const file = home(t);
  const { process: child, ended } = startCli(['serve'], { file: mainFile });
  await once(child.stdout!, 'data');
  const found = await findService(file);
  t.is(found?.pid, child.pid);
  t.is(statSync(file).mode & 0o777, 0o600);
  child.kill('SIGTERM');
  const { stdout, stderr } = await ended;
  t.is(stdout, `${file}\n`);
  t.regex(stderr, /^serving at 127\.0\.0\.1:\d+; the token is in the file\n/);
  t.notRegex(stdout + stderr, new RegExp(found!.token));
  t.throws(() => statSync(file), { code: 'ENOENT' });
});

test.serial('serve does not start beside a running one', async (t) => {
  const file = home(t);
  const { process: child, ended } = startCli(['serve'], { file: mainFile });
  await once(child.stdout!, 'data');
  const second = await runCli(['serve'], { file: mainFile });
  t.deepEqual([second.code, second.stdout], [0, `${file}\n`]);
  t.regex(second.stderr, new RegExp(`^process ${child.pid} serves already at 127`));
  child.kill();
  await ended;
});

test.serial('serve --idle stops by itself', async (t) => {
  home(t);
  const { code, signal } = await runCli(['serve', '--idle', '1'], { file: mainFile });
  t.deepEqual([code, signal], [0, null]);
});
