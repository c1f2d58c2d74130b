/** @file Which file systems tell nobody of changes made elsewhere (statfs(2), linux/magic.h). */
import { stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Types of Linux's `statfs` whose files other machines, or a host, may change. */
const remoteTypes: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB 2
  0x65735546, // FUSE: sshfs, rclone, and whatever else
  0x01021997, // 9P
  0x5346414f, // AFS
  0x6b414653, // AFS in the kernel
  0x00c36400, // Ceph
  0x0bd00bd0, // Lustre
  0x47504653, // GPFS
  0x01161970, // GFS2
  0x7461636f, // OCFS2
  0x786f4256, // VirtualBox shared folder
  0xbacbacbc, // VMware shared folder
]);

/** Whether changes in a folder may come from where no event does, so that it must be polled. */
export async function isRemote(folder: string): Promise<boolean> {
  if (process.platform === 'win32') return /^[\\/]{2}[^\\/?.]/.test(resolve(folder));
  if (process.platform !== 'linux') return false;
  const { type } = await statfs(folder);
  return remoteTypes.has(type >>> 0);
}

/** The folder at which the file system of a path is mounted; its last parts need not exist. */
export async function mountOf(path: string): Promise<string> {
  let mount = resolve(path);
  let dev: number | undefined;
  for (;;) {
    const parent = dirname(mount);
    dev ??= (await stat(mount).catch(() => undefined))?.dev;
    if (parent === mount) return mount;
    if (dev !== undefined && (await stat(parent)).dev !== dev) return mount;
    mount = parent;
  }
}
