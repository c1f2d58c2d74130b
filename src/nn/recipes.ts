/** @file Arithmetic on weights before they are bound: what a network knows beforehand is folded in. */
import { type Tensor, zeros } from '../tensor/tensor.ts';

type Float = Tensor<'float32'>;

/** `[rows, columns] -> [columns, rows]`. */
export function transposed({ shape, data }: Float): Float {
  const [rows, columns] = shape as [number, number];
  const out = zeros('float32', [columns, rows]);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) out.data[c * rows + r] = data[r * columns + c]!;
  }
  return out;
}

/** `[out, in, kh, kw] -> [out, kh, kw, in]`. */
export function kernelsLast({ shape, data }: Float): Float {
  const [out, inputs, height, width] = shape as [number, number, number, number];
  const taps = height * width;
  const turned = zeros('float32', [out, height, width, inputs]);
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < inputs; i++) {
      const from = (o * inputs + i) * taps;
      for (let t = 0; t < taps; t++) {
        turned.data[(o * taps + t) * inputs + i] = data[from + t]!;
      }
    }
  }
  return turned;
}

/** `x * factor`. */
export function scaled(x: Float, factor: number): Float {
  return { ...x, data: x.data.map((value) => value * factor) };
}

/** `W·v (+ b)` in double precision. @param w `[out, in]` @param v `[in]` */
export function affineOf(w: Float, v: ArrayLike<number>, b?: Float): Float {
  const [rows, columns] = w.shape as [number, number];
  const out = zeros('float32', [rows]);
  for (let r = 0; r < rows; r++) {
    let sum = b ? b.data[r]! : 0;
    for (let c = 0; c < columns; c++) sum += w.data[r * columns + c]! * v[c]!;
    out.data[r] = sum;
  }
  return out;
}

/**
 * A k×k convolution followed by a 1×1 one, as one k×k convolution: `W = Q·C`. Only the first `rows`
 * outputs are kept, times `factor`.
 *
 * @param q `[out, mid, 1, 1]` @param c `[mid, in, k, k]`
 */
export function composed(q: Float, c: Float, rows: number, factor: number): Float {
  const mid = c.shape[0]!;
  const columns = c.data.length / mid;
  const out = zeros('float32', [rows, ...c.shape.slice(1)]);
  const row = new Float64Array(columns);
  for (let r = 0; r < rows; r++) {
    row.fill(0);
    for (let m = 0; m < mid; m++) {
      const weight = q.data[r * mid + m]! * factor;
      for (let i = 0; i < columns; i++) row[i]! += weight * c.data[m * columns + i]!;
    }
    out.data.set(row, r * columns);
  }
  return out;
}
