/**
 * @file On a machine with an NVIDIA card: parity, then 512x512 and larger with the bundled model and a
 * full-size one, in float32 and float16. `npm run build && node --import=tsx bench/cuda.ts`.
 */
import { benchDevice } from './gpu.ts';

// Without TF32, whose products keep ten bits.
benchDevice('cuda', { NVIDIA_TF32_OVERRIDE: '0' });
