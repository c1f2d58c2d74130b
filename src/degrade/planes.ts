/** @file Pictures as the degradation handles them: float32 planes `[C, H, W]` in [0, 1]. */
import { ShapeError } from '../tensor/errors.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** Planes `[C, H, W]`. */
export type Planes = Tensor<'float32'>;

/**
 * Channels, height and width.
 *
 * @throws ShapeError when `x` has not three sizes, or one is zero
 */
export function sizeOf(x: Planes): readonly [channels: number, height: number, width: number] {
  const [channels, height, width] = x.shape;
  if (x.shape.length !== 3 || !channels || !height || !width) {
    throw new ShapeError(`degrade: expected planes [C, H, W], got [${x.shape.join(', ')}].`);
  }
  return [channels, height, width];
}

/** Values limited to [0, 1]. */
export function clamp(x: Planes): Planes {
  return tensor('float32', x.shape, x.data.map(unit));
}

/** Values as 8-bit samples have them: clamped multiples of 1/255, halves to even like `torch.round`. */
export function roundToBytes(x: Planes): Planes {
  return tensor(
    'float32',
    x.shape,
    x.data.map((v) => toByte(v) / 255),
  );
}

/** The 8-bit sample nearest to a value, in PyTorch's float32 arithmetic. */
export function toByte(value: number): number {
  return Math.min(255, Math.max(0, roundEven(Math.fround(value * 255))));
}

/** The nearest integer, halves to even, of a |value| under 2^51: float64 has no room for the fraction. */
export function roundEven(value: number): number {
  return value + 1.5 * 2 ** 52 - 1.5 * 2 ** 52;
}

function unit(value: number): number {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}
