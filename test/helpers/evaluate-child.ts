/** @file `osediff evaluate` with a stand-in for its model, to be run in a process of its own. */
import { addEvaluate } from '../../src/cli/commands/evaluate.ts';
import { runProcess } from '../../src/cli/process.ts';
import { nearestLoader } from './nearest-upscaler.ts';

await runProcess({ evaluate: async () => (program) => addEvaluate(program, nearestLoader()) });
