/**
 * @file On a machine with a graphics card, or software Vulkan: parity, then speed, as bench/cuda.ts.
 * `npm run build && node --import=tsx bench/webgpu.ts`.
 */
import { benchDevice } from './gpu.ts';

benchDevice('webgpu');
