/** @file Filtering with any kernel and reflected borders (basicsr `filter2D`), through Fourier tiles. */
import { ShapeError } from '../tensor/errors.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { makeTile, tileTransform, type Tile, type TileTransform } from './fft.ts';
import { sizeOf } from './planes.ts';

const transforms = new Map<number, TileTransform>();

/**
 * Correlates each plane with a kernel: `y[i] = sum over j of k[j] x[i + j - radius]`, mirrored at the
 * border without repeating the edge (PyTorch's `reflect`; mirrored again where the picture is smaller
 * than the radius, which PyTorch refuses).
 *
 * Exact up to rounding: tiles are transformed in float64, two real ones as one complex, each filtered
 * by a product and cut to the part that nothing wrapped into. The cost hardly depends on the kernel,
 * which a separable form could serve only for unrotated Gaussians.
 *
 * @param x `[C, H, W]`
 * @param kernel `[K, K]`, K odd; used as float32, like the official tensors
 * @returns `[C, H, W]`
 * @throws ShapeError when the kernel is not square and odd
 */
export function filter2d(
  x: Tensor<'float32'>,
  kernel: Tensor<'float64'> | Tensor<'float32'>,
): Tensor<'float32'> {
  const [channels, height, width] = sizeOf(x);
  const size = kernel.shape[0]!;
  if (kernel.shape.length !== 2 || kernel.shape[1] !== size || size % 2 === 0) {
    throw new ShapeError(
      `filter: expected a kernel [K, K], K odd, got [${kernel.shape.join(', ')}].`,
    );
  }
  const transform = transformFor(size);
  const { side } = transform;
  const response = respond(kernel.data, size, transform);
  const valid = side - size + 1;
  const rows = mirrored(height, (size - 1) / 2);
  const columns = mirrored(width, (size - 1) / 2);
  const out = new Float32Array(x.data.length);
  const tile = makeTile(side);
  const corners = cut(channels, height, width, valid);
  for (let n = 0; n < corners.length; n += 2) {
    const first = corners[n]!;
    const second = corners[n + 1];
    gather(tile.re, side, x.data, first, rows, columns, width);
    if (second) gather(tile.im, side, x.data, second, rows, columns, width);
    transform.forward(tile);
    multiply(tile, response);
    transform.inverse(tile);
    scatter(tile.re, side, out, first, valid, height, width);
    if (second) scatter(tile.im, side, out, second, valid, height, width);
  }
  return tensor('float32', x.shape, out);
}

/** Tiles at least twice as wide as the kernel, so that most of each is of use; 64 suits the cache. */
function transformFor(size: number): TileTransform {
  let side = 64;
  while (side < 2 * size) side *= 4;
  let transform = transforms.get(side);
  if (!transform) transforms.set(side, (transform = tileTransform(side)));
  return transform;
}

/** What each frequency is multiplied with: the kernel's transform, conjugated, as it is a correlation. */
function respond(weights: ArrayLike<number>, size: number, transform: TileTransform): Tile {
  const { side } = transform;
  const tile = makeTile(side);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) tile.re[y * side + x] = Math.fround(weights[y * size + x]!);
  }
  transform.forward(tile);
  const scale = 1 / side ** 2;
  return { re: tile.re.map((v) => v * scale), im: tile.im.map((v) => v * -scale) };
}

/** Index of the pixel at each place of an axis that is `radius` longer at both ends. */
function mirrored(length: number, radius: number): Int32Array {
  const period = Math.max(1, 2 * (length - 1));
  return Int32Array.from({ length: length + 2 * radius }, (_, i) => {
    const place = (((i - radius) % period) + period) % period;
    return place < length ? place : period - place;
  });
}

/** The upper left corner of a tile's output, and the start of its plane in the data. */
interface Corner {
  readonly plane: number;
  readonly top: number;
  readonly left: number;
}

function cut(channels: number, height: number, width: number, valid: number): Corner[] {
  const corners: Corner[] = [];
  for (let c = 0; c < channels; c++) {
    for (let top = 0; top < height; top += valid) {
      for (let left = 0; left < width; left += valid) {
        corners.push({ plane: c * height * width, top, left });
      }
    }
  }
  return corners;
}

/** Reads a tile's input; beyond the border's mirror image it is 0, which reaches no output. */
function gather(
  tile: Float64Array,
  side: number,
  data: Float32Array,
  { plane, top, left }: Corner,
  rows: Int32Array,
  columns: Int32Array,
  width: number,
): void {
  tile.fill(0);
  const bottom = Math.min(side, rows.length - top);
  const right = Math.min(side, columns.length - left);
  for (let y = 0; y < bottom; y++) {
    const row = plane + rows[top + y]! * width;
    const o = y * side;
    for (let x = 0; x < right; x++) tile[o + x] = data[row + columns[left + x]!]!;
  }
}

function multiply({ re, im }: Tile, by: Tile): void {
  for (let i = 0; i < re.length; i++) {
    const [a, b, c, d] = [re[i]!, im[i]!, by.re[i]!, by.im[i]!];
    re[i] = a * c - b * d;
    im[i] = a * d + b * c;
  }
}

/** Writes the part of a tile that is output. */
function scatter(
  tile: Float64Array,
  side: number,
  out: Float32Array,
  { plane, top, left }: Corner,
  valid: number,
  height: number,
  width: number,
): void {
  const bottom = Math.min(valid, height - top);
  const right = Math.min(valid, width - left);
  for (let y = 0; y < bottom; y++) {
    const o = plane + (top + y) * width + left;
    for (let x = 0; x < right; x++) out[o + x] = tile[y * side + x]!;
  }
}
