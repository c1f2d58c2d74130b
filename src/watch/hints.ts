/** @file Events of the file system, by chokidar: they only tell where to look sooner. */
import { basename, relative, sep } from 'node:path';
import { watch } from 'chokidar';
import { isIgnored } from './names.ts';
import type { Places } from './places.ts';

/** What is told. */
export interface HintListener {
  /** Something happened to a file; its path is below the folder, with `/`. */
  readonly onHint: (file: string) => void;
  /** No more events will come, or not all of them. */
  readonly onError: (error: Error) => void;
}

/**
 * Starts to listen.
 *
 * @returns what ends it
 */
export async function listen(
  { in: root, excluded }: Places,
  { onHint, onError }: HintListener,
): Promise<() => Promise<void>> {
  const skipped = new Set(excluded);
  const watcher = watch(root, {
    ignoreInitial: true,
    followSymlinks: false,
    ignorePermissionErrors: true,
    atomic: false,
    ignored: (path: string) => path !== root && (skipped.has(path) || isIgnored(basename(path))),
  });
  for (const event of ['add', 'change', 'unlink'] as const) {
    watcher.on(event, (path) => onHint(relative(root, path).replaceAll(sep, '/')));
  }
  watcher.on('error', (error) => onError(error as Error));
  await new Promise<void>((resolve) => {
    watcher.once('ready', resolve);
  });
  return () => watcher.close();
}
