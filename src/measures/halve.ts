/** @file Half the size by MATLAB's antialiased bicubic (Keys 1981, a = -0.5), as NIQE does between its scales. */

/** One channel, row by row. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly data: Float64Array;
}

// prettier-ignore
type Eight = readonly [number, number, number, number, number, number, number, number];

/** Keys' kernel stretched to twice its width, at 1/4, 3/4, 5/4, 7/4: exact in float32. */
const [t0, t1, t2, t3] = [0.8671875 / 2, 0.2265625 / 2, -0.0703125 / 2, -0.0234375 / 2];

/**
 * Half the size, borders mirrored. In float32 on levels / 255, as the published scores were made.
 *
 * @param plane levels 0..255 of even width and height
 */
export function halve({ width, height, data }: Plane): Plane {
  const unit = new Float32Array(data).map((v) => v / 255);
  const low = new Float32Array(data.length / 2);
  for (let row = 0; row < height / 2; row++) {
    weigh(unit, 1, mirrored(row, height, width), low.subarray(row * width), 1, width);
  }
  const small = new Float32Array(data.length / 4);
  for (let column = 0; column < width / 2; column++) {
    const starts = mirrored(column, width, 1);
    weigh(low, width, starts, small.subarray(column), width / 2, height / 2);
  }
  const levels = new Float64Array(small.map((v) => v * 255));
  return { width: width / 2, height: height / 2, data: levels };
}

/** Where the lines are, `step` apart, that line `i` of the small picture is made of, in order. */
function mirrored(i: number, size: number, step: number): Eight {
  return Array.from({ length: 8 }, (_, k) => {
    const at = 2 * i - 3 + k;
    if (at < 0) return (-1 - at) * step;
    return (at < size ? at : 2 * size - 1 - at) * step;
  }) as unknown as Eight;
}

/** A line of `count` pixels, `outStep` apart, of eight lines that start at `starts`. */
function weigh(
  data: Float32Array,
  step: number,
  [a, b, c, d, e, f, g, h]: Eight,
  out: Float32Array,
  outStep: number,
  count: number,
): void {
  const f32 = Math.fround;
  for (let n = 0; n < count; n++) {
    const i = n * step;
    let sum = f32(t3 * data[a + i]!);
    sum = f32(sum + f32(t2 * data[b + i]!));
    sum = f32(sum + f32(t1 * data[c + i]!));
    sum = f32(sum + f32(t0 * data[d + i]!));
    sum = f32(sum + f32(t0 * data[e + i]!));
    sum = f32(sum + f32(t1 * data[f + i]!));
    sum = f32(sum + f32(t2 * data[g + i]!));
    out[n * outStep] = f32(sum + f32(t3 * data[h + i]!));
  }
}
