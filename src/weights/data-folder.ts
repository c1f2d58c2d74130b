/** @file Where models are: the user's data folder (XDG base directories and their kin) and the package. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder for the program's data, which may not exist yet: `OSEDIFF_HOME`, else
 * `~/.local/share/osediff` (or below `XDG_DATA_HOME`), `~/Library/Application Support/osediff`,
 * `%LOCALAPPDATA%\osediff`.
 */
export function dataFolder(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  if (env['OSEDIFF_HOME']) return resolve(env['OSEDIFF_HOME']);
  if (platform === 'win32') {
    return join(env['LOCALAPPDATA'] || join(home, 'AppData', 'Local'), 'osediff');
  }
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'osediff');
  // The XDG specification has relative paths ignored.
  const xdg = env['XDG_DATA_HOME'];
  return join(xdg?.startsWith('/') ? xdg : join(home, '.local', 'share'), 'osediff');
}

/** The folder that models are imported into. */
export function storeFolder(): string {
  return join(dataFolder(), 'models');
}

/** The folder of the models that come with the package; undefined where it has none. */
export function bundledFolder(): string | undefined {
  const root = packageRoot(dirname(fileURLToPath(import.meta.url)));
  const folder = root && join(root, 'models');
  return folder && existsSync(folder) ? folder : undefined;
}

/** The folder of our package.json at or above `from`: sources and `dist` lie at different depths. */
function packageRoot(from: string): string | undefined {
  const file = join(from, 'package.json');
  if (existsSync(file)) {
    const { name } = JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown };
    if (name === 'osediff') return from;
  }
  const parent = dirname(from);
  return parent === from ? undefined : packageRoot(parent);
}
