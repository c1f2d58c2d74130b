/** @file How fast models are on this machine, noted by every run for the estimates of later ones. */
import { join } from 'node:path';
import type { PlannedPicture } from '../pipeline/picture-check.ts';
import type { UpscalerOptions } from '../pipeline/types.ts';
import { dataFolder } from '../weights/data-folder.ts';
import type { Reporter } from './report.ts';

/** Pictures smaller than this say more about loading than about speed. */
const least = 0.5e6;

/** The speed of one model on one device. */
export interface SpeedBook {
  /** A picture took this long. */
  note(picture: PlannedPicture, seconds: number): void;
  /** Remembers what was noted. */
  keep(): Promise<void>;
  /** Tells what each picture will take. */
  report(pictures: readonly PlannedPicture[], reporter: Reporter): Promise<void>;
}

/** The book of a model as it is called. */
export function speedsOf({ model, device, precision }: UpscalerOptions): SpeedBook {
  const file = join(dataFolder(), 'speeds.json');
  const key = [model, device, precision].join(' ');
  let pixels = 0;
  let time = 0;
  return {
    note({ result, frames }, seconds) {
      const count = result.width * result.height * frames;
      if (count < least) return;
      pixels += count;
      time += seconds;
    },
    async keep() {
      if (time === 0) return;
      const { writeSpeed } = await import('../pipeline/estimate.ts');
      await writeSpeed(file, key, pixels / 1e6 / time);
    },
    async report(pictures, reporter) {
      const { estimateMemory, estimateSeconds, readSpeeds } =
        await import('../pipeline/estimate.ts');
      const speed = (await readSpeeds(file))[key];
      for (const picture of pictures) {
        const seconds = speed === undefined ? undefined : estimateSeconds(picture, speed);
        reporter.onEstimate(picture, { memory: estimateMemory(picture), seconds });
      }
    },
  };
}
