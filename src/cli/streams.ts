/** @file Pictures through standard input and output. */
import type { Streams } from '../pipeline/picture-job.ts';

/** The process's own streams. */
export const processStreams: Streams = {
  async read() {
    const parts: Uint8Array[] = [];
    for await (const part of process.stdin) parts.push(part as Uint8Array);
    return Buffer.concat(parts);
  },
  write: (bytes) =>
    new Promise((resolve, reject) => {
      process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
    }),
};
