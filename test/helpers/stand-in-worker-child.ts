/**
 * @file A worker process for the watcher whose model is a stand-in: it repeats pixels.
 *
 * Pictures of some widths make it misbehave, so that a test can choose by what it drops.
 */
import { existsSync } from 'node:fs';
import { makePicture, type Picture } from '../../src/image/picture.ts';
import { DeviceError, FormatError, WeightError } from '../../src/tensor/errors.ts';
import { serveWorker } from '../../src/watch/serve-worker.ts';
import { nearestLoader } from './nearest-upscaler.ts';
import { widths } from './stand-in.ts';

/** Memory that is never given back. */
const hoard: Buffer[] = [];

function before({ width }: Picture): void {
  if (width === widths.crashes) process.kill(process.pid, 'SIGSEGV');
  if (width === widths.refused) throw new FormatError('a picture of a kind that no model likes');
  if (width === widths.failsDevice) throw new DeviceError('the device is out of memory');
  if (width === widths.hoards) {
    for (let i = 0; i < 40; i++) hoard.push(Buffer.alloc(16 * 2 ** 20, 1));
  }
  const flag = process.env['STAND_IN_FLAG'];
  if (width === widths.refusedUntilFlag && !(flag && existsSync(flag))) {
    throw new FormatError('the flag is not there');
  }
}

const load = nearestLoader({ step: Number(process.env['STAND_IN_STEP'] ?? 0), before });

serveWorker(async (options) => {
  if (options.model?.endsWith('broken'))
    throw new WeightError('broken: expected weights, got none.');
  const upscaler = await load(options);
  return {
    ...upscaler,
    upscale: async (input, call) => {
      const picture = await upscaler.upscale(input, call);
      const { width } = input as Picture;
      if (width === widths.hangs) await new Promise(() => undefined);
      if (width === widths.hoards) {
        await new Promise((resolve) => {
          setTimeout(resolve, 60_000);
        });
      }
      return makePicture(picture.width, picture.height, picture.channels, picture.data);
    },
  };
});
