/** @file The film commands with a stand-in for their model, to be run in a process of its own. */
import { appendFileSync } from 'node:fs';
import { addFrames } from '../../src/cli/commands/frames.ts';
import type { Load } from '../../src/cli/commands/upscale.ts';
import { addVideo } from '../../src/cli/commands/video.ts';
import { runProcess } from '../../src/cli/process.ts';
import { nearestLoader } from './nearest-upscaler.ts';

/** `slow` takes 4 x 60 ms a picture, so that quick machines too can be interrupted. */
const step = process.env['STAND_IN'] === 'slow' ? 60 : 0;
const log = process.env['STAND_IN_LOG'];

const load: Load = nearestLoader({
  step,
  before: ({ width, height }) => {
    if (log) appendFileSync(log, `${width}x${height}\n`);
  },
});
await runProcess({
  video: async () => (program) => addVideo(program, load),
  frames: async () => (program) => addFrames(program, load),
});
