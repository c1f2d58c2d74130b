/** @file Fetches a file of known size and hash, going on where an earlier attempt stopped. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { FormatError, PathError } from '../../tensor/errors.ts';

/** A file as its publisher describes it. */
export interface Described {
  readonly url: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface FetchOptions {
  /** Called with the bytes that are there so far. */
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Fetches to `path`, which appears only when its hash is right. What came before an interruption stays
 * in `<path>.part`.
 *
 * @throws PathError when the server cannot be reached, refuses, or breaks off, or the disk is full
 * @throws FormatError when what came is something else; it is deleted
 */
export async function fetchFile(
  file: Described,
  path: string,
  { onProgress, signal }: FetchOptions = {},
): Promise<void> {
  const part = `${path}.part`;
  const hash = createHash('sha256');
  let done = await hashOf(part, file.bytes, hash);
  if (done < file.bytes) {
    const response = await request(file, done, signal);
    const output = await open(part, done > 0 && response.status === 206 ? 'a' : 'w');
    let sum = hash;
    if (response.status !== 206) {
      sum = createHash('sha256');
      done = 0;
    }
    try {
      for await (const chunk of response.body!) {
        done += chunk.length;
        if (done > file.bytes) break;
        sum.update(chunk);
        await output.write(chunk);
        onProgress?.(done);
      }
      await output.sync();
    } catch (cause) {
      throw broken(file, done, cause, signal);
    } finally {
      await output.close();
    }
    if (done < file.bytes) throw broken(file, done, undefined, signal);
    return finish(file, path, done === file.bytes ? sum.digest('hex') : 'more bytes than that');
  }
  return finish(file, path, hash.digest('hex'));
}

async function finish({ url, sha256 }: Described, path: string, got: string): Promise<void> {
  if (got === sha256) return rename(`${path}.part`, path);
  await rm(`${path}.part`, { force: true });
  throw new FormatError(
    `${url}: expected a file with SHA-256 ${sha256}, got ${got}. It was deleted; somebody between here and the server changed it, or the mirror is wrong.`,
  );
}

/** Hashes what an earlier attempt left; nothing, where that is more than the whole. */
async function hashOf(
  part: string,
  most: number,
  hash: ReturnType<typeof createHash>,
): Promise<number> {
  const size = (await stat(part).catch(() => undefined))?.size ?? 0;
  if (size === 0 || size > most) return 0;
  for await (const chunk of createReadStream(part)) hash.update(chunk as Buffer);
  return size;
}

async function request(
  { url }: Described,
  from: number,
  signal: AbortSignal | undefined,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, {
      ...(from > 0 && { headers: { range: `bytes=${from}-` } }),
      ...(signal && { signal }),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    const { message, cause: inner } = cause as Error;
    const why =
      inner instanceof Error ? inner.message || (inner as { code?: string }).code : message;
    throw new PathError(
      `${url}: expected the server to answer, got ${why}. Check the network and HTTPS_PROXY, or bring the files and use --from DIR.`,
      { cause },
    );
  }
  if (response.ok && response.body) return response;
  await response.body?.cancel();
  throw new PathError(
    `${url}: expected the file, got status ${response.status}. Update osediff, or bring the file and use --from DIR.`,
  );
}

function broken(
  { url, bytes }: Described,
  done: number,
  cause: unknown,
  signal: AbortSignal | undefined,
): unknown {
  signal?.throwIfAborted();
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new PathError(`${url}: expected room for ${bytes} bytes, got a full disk. Free space.`, {
      cause,
    });
  }
  return new PathError(
    `${url}: expected ${bytes} bytes, got ${done} before the connection ended. Run the command again: it goes on from there.`,
    { cause },
  );
}

/**
 * Checks a file that somebody brought.
 *
 * @throws FormatError when it is another one
 */
export async function checkFile(
  path: string,
  { bytes, sha256 }: Described,
  signal?: AbortSignal,
): Promise<void> {
  const { size } = await stat(path);
  let got = `${size} bytes instead of ${bytes}`;
  if (size === bytes) {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path, { signal })) hash.update(chunk as Buffer);
    got = hash.digest('hex');
  }
  if (got === sha256) return;
  throw new FormatError(`${path}: expected SHA-256 ${sha256}, got ${got}. Bring the file again.`);
}
