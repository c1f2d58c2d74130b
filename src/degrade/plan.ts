/** @file A degradation with every choice made: plain values, which JSON keeps. */
import type { Kernel, SincKernel } from './kernels.ts';
import type { StreamName } from '../tensor/random.ts';
import type { ResizeMode } from './resize.ts';

/** Noise whose random numbers are still to come. */
export type NoisePlan =
  | {
      readonly kind: 'gaussian';
      /** The same in all three channels. */
      readonly grey: boolean;
      /** Standard deviation in 1/255. */
      readonly sigma: number;
    }
  | {
      readonly kind: 'poisson';
      readonly grey: boolean;
      /** A factor on the noise. */
      readonly scale: number;
    };

/** One round; null leaves a step out. */
export interface StagePlan {
  readonly blur: Kernel | null;
  readonly resize: { readonly scale: number; readonly mode: ResizeMode };
  readonly noise: NoisePlan | null;
  /** JPEG quality. */
  readonly quality: number | null;
}

/** Everything that happens to one picture. */
export interface Plan {
  /** How many times smaller the result is. */
  readonly scale: number;
  readonly first: StagePlan;
  /** Its resize is relative to the result's size; its JPEG comes at the end, by `final.order`. */
  readonly second: StagePlan;
  readonly final: {
    /** Whether the reduction and the sinc filter come before the last JPEG or after. */
    readonly order: 'sinc_first' | 'jpeg_first';
    readonly mode: ResizeMode;
    readonly sinc: SincKernel | null;
  };
  /** How the result is brought back to the picture's own size, for the network's input. */
  readonly back: { readonly mode: ResizeMode };
  /** Random numbers of the noise: streams of this name, followed by the stage, 1 or 2. */
  readonly noiseStream: StreamName;
}
