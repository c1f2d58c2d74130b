/** @file The program `osediff watch`, and its `video`, with a stand-in for the model, in a process of its own. */
import { addVideo } from '../../src/cli/commands/video.ts';
import { addWatch } from '../../src/cli/commands/watch.ts';
import { runProcess } from '../../src/cli/process.ts';
import { nearestLoader } from './nearest-upscaler.ts';
import { standInWorker } from './stand-in.ts';

const load = nearestLoader({ step: Number(process.env['STAND_IN_STEP'] ?? 0) });

await runProcess({
  watch: async () => (program) => addWatch(program, { workerFile: standInWorker }),
  video: async () => (program) => addVideo(program, load),
});
