/** @file The program `osediff watch` with a stand-in for its model, to be run in a process of its own. */
import { addWatch } from '../../src/cli/commands/watch.ts';
import { runProcess } from '../../src/cli/process.ts';
import { standInWorker } from './stand-in.ts';

await runProcess({
  watch: async () => (program) => addWatch(program, { workerFile: standInWorker }),
});
