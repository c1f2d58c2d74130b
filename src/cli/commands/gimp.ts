/** @file `osediff gimp`: puts the plug-in into GIMP, takes it out, and says how it is. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { oneLine } from '../errors.ts';

interface Flags {
  readonly gimpDir?: string;
  readonly json?: true;
}

const folderFlag = [
  '--gimp-dir <folder>',
  "GIMP's settings folder, as its Preferences > Folders show (default: every GIMP 3 found)",
] as const;

/** Add the command to a program. */
export function addGimp(program: Command): void {
  const gimp = program.command('gimp').description('the plug-in for GIMP 3');
  gimp
    .command('install')
    .description('add Filters > Enhance > Neural Upscale to GIMP')
    .option(...folderFlag)
    .action((flags: Flags) => add(flags));
  gimp
    .command('uninstall')
    .description('take it out again')
    .option(...folderFlag)
    .action((flags: Flags) => remove(flags));
  gimp
    .command('status')
    .description('say where the plug-in is, and whether the engine service runs')
    .option(...folderFlag)
    .option('--json', 'print one JSON object')
    .action((flags: Flags) => status(flags));
}

async function folders({ gimpDir }: Flags): Promise<readonly string[]> {
  if (gimpDir !== undefined) return [resolve(gimpDir)];
  const { gimpFolders } = await import('../../../plugins/gimp-bridge/gimp-folders.ts');
  return gimpFolders();
}

async function add(flags: Flags): Promise<void> {
  const { install } = await import('../../../plugins/gimp-bridge/install.ts');
  const written = await install(await folders(flags), serveCommand());
  for (const path of written) process.stdout.write(`${oneLine(path)}\n`);
  process.stderr.write('Restart GIMP; the entry is Filters > Enhance > Neural Upscale.\n');
}

/** This very program, as a plug-in can start it again. */
function serveCommand(): readonly string[] {
  return [process.execPath, ...process.execArgv, realpathSync(process.argv[1]!), 'serve'];
}

async function remove(flags: Flags): Promise<void> {
  const { uninstall } = await import('../../../plugins/gimp-bridge/install.ts');
  const removed = await uninstall(await folders(flags));
  for (const path of removed) process.stdout.write(`${oneLine(path)}\n`);
  const rest = removed.length > 0 ? 'Restart GIMP.' : 'The plug-in was in none of its folders.';
  process.stderr.write(`${rest}\n`);
}

async function status(flags: Flags): Promise<void> {
  const { inspect } = await import('../../../plugins/gimp-bridge/install.ts');
  const { findService } = await import('../../../plugins/gimp-bridge/find.ts');
  const { endpointFile } = await import('../../../plugins/gimp-bridge/endpoint.ts');
  const plugIns = await inspect(await folders(flags));
  const found = await findService(endpointFile());
  // the token stays in its file
  const engine = found ? { port: found.port, pid: found.pid, ...found.status } : null;
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ plugIns, engine }, null, 2)}\n`);
    return;
  }
  for (const { path, state, remedy } of plugIns) {
    process.stdout.write(`${oneLine(path)}: ${state}${remedy ? `. ${remedy}` : ''}\n`);
  }
  const service = engine
    ? `serves at 127.0.0.1:${engine.port} (process ${engine.pid}, ${engine.jobs} jobs)`
    : 'not running; GIMP starts it, or "osediff serve" does';
  process.stdout.write(`engine: ${service}\n`);
}
