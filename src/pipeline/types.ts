/** @file The public types of upscaling: what a caller asks for, and what comes back. */
import type { Sharp } from 'sharp';
import type { Picture } from '../image/picture.ts';
import type { RawTask } from './raw-upscale.ts';
import type { Size } from './size.ts';

/** A LoRA on disk: its file alone, or with a strength (1 is as trained, 0 is without it). */
export type LoraChoice = string | { path: string; strength?: number };

/** Colour matching of the whole result to the enlarged input (osediff.md section 1, "Colour"). */
export type ColorFix = 'adain' | 'wavelet' | 'none';

/**
 * What stands in a prompt beside the caller's words: tags that DAPE finds in the picture, or nothing.
 * With tags results have more detail, without them they are truer to the input (the paper's Table 4).
 */
export type PromptSource = 'dape' | 'none';

/** What to load, once, for any number of pictures. */
export interface UpscalerOptions {
  /** Name of an installed model. @default 'compact' */
  model?: string;
  /** `auto`, `cpu`, `cuda`, `cuda:N` or `webgpu`. @default 'auto' */
  device?: string;
  /** Arithmetic of the networks. @default 'fp32' */
  precision?: 'fp32' | 'fp16';
  /** Where colour is matched: `auto` takes what a probe found faster, and remembers it. @default 'auto' */
  kernels?: 'auto' | 'gpu' | 'cpu';
  /** LoRA files merged into the model, in this order. @default [] */
  loras?: readonly LoraChoice[];
  /** @default what the model was trained with; `none` where there is no tagger */
  promptFrom?: PromptSource;
  /** Name of the tagger that finds tags. @default 'dape' */
  tagger?: string;
}

/** How one picture is upscaled. */
export interface UpscaleOptions {
  /** Output size over input size; the output is exactly `round(size * scale)`. @default 4 */
  scale?: number;
  /** Output pixels, instead of the scale; with only one of width and height the shape is kept. */
  width?: number;
  height?: number;
  /** Output size in millions of pixels, instead of the scale. */
  megapixels?: number;
  /** How much of what the model adds enters: 0 is plain enlargement, 1 all of it. @default 1 */
  detail?: number;
  /** Text that the network is conditioned on. @default '' */
  prompt?: string;
  /** Colour matching. @default 'adain' */
  color?: ColorFix;
  /** Longest tile edge, in output pixels. @default the model's own */
  tile?: number;
  /** Least overlap of neighbouring tiles, in output pixels. @default the model's own */
  overlap?: number;
  /** Seed of the posterior sample; without `sample` or `asPublished` nothing is random. @default 0 */
  seed?: number;
  /** Sample the posterior, as the paper does, instead of taking its mean. @default false */
  sample?: boolean;
  /** Do what the official program does, tiling and cut-off bytes included. @default false */
  asPublished?: boolean;
  /** With `asPublished`: the posterior's mean instead of a sample. @default false */
  mean?: boolean;
  /** Called as the work goes on, at least once a tile. */
  onProgress?: (progress: Progress) => void;
  /** Aborting it rejects with its reason. */
  signal?: AbortSignal;
}

/** Where the work on one picture stands. `done` and `total` count steps of this phase. */
export interface Progress {
  readonly phase: 'prepare' | 'tiles' | 'finish';
  readonly done: number;
  readonly total: number;
}

/** The loaded model as a caller or a log may want to name it. */
export interface ModelSummary {
  readonly name: string;
  /** Where it runs: `cpu`, `cuda:0`, `webgpu`. */
  readonly device: string;
  readonly precision: 'fp32' | 'fp16';
  /** Of `auto`: what was taken and why not the others, in one line. */
  readonly why?: string;
  /** What stands in prompts beside the caller's words. */
  readonly promptFrom?: PromptSource;
  /** Why that is not what the model was trained with, in one line. */
  readonly promptNote?: string;
}

/** A loaded model. */
export interface Upscaler {
  /**
   * Upscale one picture; the event loop is never blocked for longer than a copy takes.
   *
   * @param input pixels, or a sharp pipeline that yields them
   * @returns the same number of channels and the same array type at the new size
   */
  upscale(input: Picture | Sharp, options?: UpscaleOptions): Promise<Picture>;
  /**
   * Upscale decoded rows from file to file: memory follows the picture's width, not its height.
   * Absent from upscalers that only take pictures in memory.
   */
  upscaleRaw?(task: RawTask, options?: UpscaleOptions): Promise<Size>;
  readonly model: ModelSummary;
  /** Free the model. Calls under way are rejected. */
  dispose(): Promise<void>;
}
