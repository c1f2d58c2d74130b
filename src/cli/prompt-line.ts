/** @file Tells people on stderr when prompts are not those that a model was trained with. */
import type { ModelSummary } from '../pipeline/types.ts';
import { oneLine } from './errors.ts';
import type { Output } from './report.ts';

/** One line, where the choice was the program's. A bar on the line gives way. */
export function tellPrompts({ promptNote }: ModelSummary, stderr: Output = process.stderr): void {
  if (promptNote === undefined) return;
  stderr.write(`${stderr.isTTY ? '\r\u001b[K' : ''}prompt: ${oneLine(promptNote)}\n`);
}
