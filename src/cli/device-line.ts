/** @file Tells people on stderr which device was taken, and why not another. */
import type { ModelSummary } from '../pipeline/types.ts';
import { oneLine } from './errors.ts';
import type { Output } from './report.ts';

/** One line, where the choice was the program's (`--device auto`). A bar on the line gives way. */
export function tellDevice({ why }: ModelSummary, stderr: Output = process.stderr): void {
  if (why === undefined) return;
  stderr.write(`${stderr.isTTY ? '\r\u001b[K' : ''}device: ${oneLine(why)}\n`);
}
