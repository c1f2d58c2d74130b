/** @file The public API: load an upscaler once, upscale many pictures, catch its errors by class. */
export { loadUpscaler } from './pipeline/upscaler.ts';
export type {
  ColorFix,
  LoraChoice,
  ModelSummary,
  Progress,
  UpscaleOptions,
  Upscaler,
  UpscalerOptions,
} from './pipeline/types.ts';
export type { Channels, Picture, Samples } from './image/picture.ts';
export { readPicture, writePicture } from './image/codec.ts';
export { float16ToFloat32, float32ToFloat16 } from './tensor/float16.ts';
export { dataFolder } from './weights/data-folder.ts';
export { listModels } from './weights/store.ts';
export type { FoundModel, ListedModel } from './weights/store.ts';
export {
  ConfigError,
  DeviceError,
  FormatError,
  OsediffError,
  PathError,
  ShapeError,
  UsageError,
  WeightError,
} from './tensor/errors.ts';
