/** @file What an upscaler and its worker thread say to each other. */
import type { Picture } from '../image/picture.ts';
import type { RawTask } from './raw-upscale.ts';
import type { Size } from './size.ts';
import type { ModelSummary, Progress, UpscaleOptions, UpscalerOptions } from './types.ts';

/** Options that cross the thread's border: no functions, no signal. */
export type PlainOptions = Omit<UpscaleOptions, 'onProgress' | 'signal'>;

export type Request =
  | { readonly kind: 'open'; readonly id: number; readonly options: UpscalerOptions }
  | {
      readonly kind: 'upscale';
      readonly id: number;
      readonly picture: Picture;
      readonly options: PlainOptions;
    }
  | {
      readonly kind: 'upscale-raw';
      readonly id: number;
      readonly task: RawTask;
      readonly options: PlainOptions;
    }
  | { readonly kind: 'abort'; readonly id: number };

export type Reply =
  | { readonly kind: 'progress'; readonly id: number; readonly progress: Progress }
  | { readonly kind: 'opened'; readonly id: number; readonly model: ModelSummary }
  | { readonly kind: 'upscaled'; readonly id: number; readonly picture: Picture }
  | { readonly kind: 'upscaled-raw'; readonly id: number; readonly size: Size }
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
    };
