/** @file The state of the whole watcher at one moment, as JSON for the status page and health checks. */
import type { FailureRecord } from './record.ts';
import type { Folder } from './folder.ts';
import type { History, RecentPicture } from './history.ts';

/** A watched folder, for the status page. */
export interface FolderStatus {
  readonly in: string;
  readonly out: string;
  readonly failed: string;
  /** Jobs that wait. */
  readonly queued: number;
  /** The first of them. */
  readonly next: readonly string[];
  /** Files not known to be complete. */
  readonly settling: number;
  readonly active: readonly { readonly file: string; readonly fraction: number }[];
  /** Why jobs wait, when they do for no file's fault. */
  readonly paused: string | undefined;
}

/** What the status page shows. */
export interface Status {
  readonly folders: readonly FolderStatus[];
  readonly done: number;
  readonly failed: number;
  readonly lastHour: { readonly pictures: number; readonly megapixels: number };
  readonly recent: readonly RecentPicture[];
  readonly failures: readonly (Pick<FailureRecord, 'id' | 'file' | 'reason' | 'at'> & {
    /** Which of the folders. */
    readonly folder: number;
  })[];
}

/** Failures that are listed for each folder. */
const mostFailures = 50;

/** One folder's part, which costs no look at the disk. */
export function folderStatus(folder: Folder): FolderStatus {
  const { places, pause, session } = folder;
  const active = session ? [...session.processing.progress] : [];
  return {
    in: places.in,
    out: places.out,
    failed: places.failed,
    queued: session?.desk.queue.size ?? 0,
    next: session?.desk.queue.first(5) ?? [],
    settling: session?.intake.settling ?? 0,
    active: active.map(([file, fraction]) => ({ file, fraction })),
    paused: pause.reason,
  };
}

/** Everything. */
export async function statusOf(folders: readonly Folder[], history: History): Promise<Status> {
  const failures: Status['failures'][number][] = [];
  for (const [i, { session }] of folders.entries()) {
    for (const { id, file, reason, at } of (await session?.desk.failures.list(mostFailures)) ??
      []) {
      failures.push({ folder: i, id, file, reason, at });
    }
  }
  const { done, failed, lastHour, recent } = history;
  return { folders: folders.map(folderStatus), done, failed, lastHour, recent, failures };
}

/** Why the watcher cannot do its work now; nothing when it can. */
export function obstacles(folders: readonly Folder[]): readonly string[] {
  return folders.flatMap(({ places, pause, sweptAt }) => {
    if (pause.reason !== undefined) return [pause.reason];
    return sweptAt === 0 ? [`${places.in}: not looked at yet`] : [];
  });
}
