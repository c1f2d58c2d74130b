/** @file Events of the file system, by chokidar: they only tell where to look sooner. */
import { basename, join, relative, sep } from 'node:path';
import { watch } from 'chokidar';
import { isIgnored } from './names.ts';
import type { Places } from './places.ts';

/** What is told. */
export interface HintListener {
  /** Something happened to a file or folder; its path is below the watched one, with `/`. */
  readonly onHint: (file: string) => void;
  /** There is a new folder, or something happened that was not told: look at everything. */
  readonly onFolder: () => void;
  /** No more events will come, or not all of them. */
  readonly onError: (error: Error) => void;
}

/**
 * Starts to listen.
 *
 * Folders are watched and files are not: a watch for each would take some 7 kB, and the events of
 * its folder tell the same.
 *
 * @returns what ends it
 */
export async function listen(
  { in: root, excluded }: Places,
  { onHint, onFolder, onError }: HintListener,
): Promise<() => Promise<void>> {
  const skipped = new Set(excluded);
  const isSkipped = (path: string): boolean =>
    path !== root && (skipped.has(path) || isIgnored(basename(path)));
  const watcher = watch(root, {
    ignoreInitial: true,
    followSymlinks: false,
    ignorePermissionErrors: true,
    atomic: false,
    ignored: (path, stats) => isSkipped(path) || stats?.isFile() === true,
  });
  watcher.on('raw', (_event: string, name: string | null, details: unknown) => {
    const folder = (details as { watchedPath?: string }).watchedPath;
    if (folder === undefined || name === null) {
      onFolder();
      return;
    }
    const path = join(folder, name);
    if (!isSkipped(path)) onHint(relative(root, path).replaceAll(sep, '/'));
  });
  watcher.on('addDir', onFolder);
  watcher.on('error', (error) => onError(error as Error));
  await new Promise<void>((resolve) => {
    watcher.once('ready', resolve);
  });
  return () => watcher.close();
}
