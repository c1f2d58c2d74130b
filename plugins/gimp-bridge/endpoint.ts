/** @file The file that tells the user's programs where the service listens, and proves they are the user's. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { dataFolder, PathError } from 'osediff';

/** What the file says. */
export interface Endpoint {
  readonly protocol: number;
  readonly port: number;
  /** In hexadecimal. */
  readonly token: string;
  readonly pid: number;
}

/** Where the file is: `engine.json` in the data folder. */
export function endpointFile(): string {
  return join(dataFolder(), 'engine.json');
}

/** A token that cannot be guessed. */
export function newToken(): string {
  return randomBytes(32).toString('hex');
}

/**
 * Writes the file, complete from the moment it is there, readable by the user alone (mode 0600; on
 * Windows the folder's own rights say so).
 *
 * @throws PathError when it cannot be written
 */
export async function writeEndpoint(path: string, endpoint: Endpoint): Promise<void> {
  const beside = `${path}.${endpoint.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    // The mode at creation, not by a chmod after it: there is no moment when others could open it.
    const file = await open(beside, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(endpoint)}\n`);
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true });
    const { message } = cause as Error;
    throw new PathError(
      `${path}: expected to write it, got ${message}. Set OSEDIFF_HOME to a folder of yours.`,
      { cause },
    );
  }
}

/** The file's content; undefined where it is missing or damaged. */
export async function readEndpoint(path: string): Promise<Endpoint | undefined> {
  try {
    const json = JSON.parse(await readFile(path, 'utf8')) as Partial<Endpoint>;
    const { protocol, port, token, pid } = json;
    const sound =
      [protocol, port, pid].every(Number.isInteger) && /^[0-9a-f]{64}$/.test(token ?? '');
    return sound ? (json as Endpoint) : undefined;
  } catch {
    return undefined;
  }
}

/** Removes the file, unless another service has written its own since. */
export async function removeEndpoint(path: string, { token }: Endpoint): Promise<void> {
  if ((await readEndpoint(path))?.token === token) await rm(path, { force: true });
}
