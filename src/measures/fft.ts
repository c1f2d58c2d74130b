/** @file Fourier transform of any length: Cooley and Tukey's for powers of two, Bluestein's for others. */

/** Transforms `re + i im` in place; made for one length, to be used for many rows. */
export type Fft = (re: Float64Array, im: Float64Array) => void;

/**
 * A forward transform without scaling: `X[k] = sum x[n] exp(-2 pi i k n / length)`.
 *
 * @param length at least 1
 */
export function makeFft(length: number): Fft {
  return (length & (length - 1)) === 0 ? radixTwo(length) : bluestein(length);
}

function radixTwo(n: number): Fft {
  const cos = Float64Array.from({ length: n / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / n));
  const sin = Float64Array.from({ length: n / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / n));
  const bits = Math.log2(n);
  const mirrored = Uint32Array.from({ length: n }, (_, i) => mirror(i, bits));
  return (re, im) => {
    for (let i = 0; i < n; i++) {
      const j = mirrored[i]!;
      if (j > i) {
        [re[i], re[j]] = [re[j]!, re[i]!];
        [im[i], im[j]] = [im[j]!, im[i]!];
      }
    }
    for (let half = 1; half < n; half *= 2) {
      const step = n / (2 * half);
      for (let start = 0; start < n; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const [i, j] = [start + k, start + k + half];
          const [c, s] = [cos[k * step]!, sin[k * step]!];
          const x = re[j]! * c - im[j]! * s;
          const y = re[j]! * s + im[j]! * c;
          re[j] = re[i]! - x;
          im[j] = im[i]! - y;
          re[i]! += x;
          im[i]! += y;
        }
      }
    }
  };
}

function mirror(value: number, bits: number): number {
  let out = 0;
  for (let bit = 0; bit < bits; bit++) out |= ((value >> bit) & 1) << (bits - 1 - bit);
  return out;
}

/**
 * `kn = (k^2 + n^2 - (k - n)^2) / 2` turns the sum into a convolution with a chirp, which a power of
 * two at least twice as long carries out.
 */
function bluestein(n: number): Fft {
  const size = 2 ** Math.ceil(Math.log2(2 * n - 1));
  const transform = radixTwo(size);
  // k^2 modulo 2n: the angle stays small, and exact.
  const angle = Float64Array.from({ length: n }, (_, k) => (Math.PI * ((k * k) % (2 * n))) / n);
  const [cos, sin] = [angle.map(Math.cos), angle.map(Math.sin)];
  const chirpRe = new Float64Array(size);
  const chirpIm = new Float64Array(size);
  for (let k = 0; k < n; k++) {
    chirpRe[k] = chirpRe[(size - k) % size] = cos[k]!;
    chirpIm[k] = chirpIm[(size - k) % size] = sin[k]!;
  }
  transform(chirpRe, chirpIm);
  return (re, im) => {
    const a = new Float64Array(size);
    const b = new Float64Array(size);
    for (let k = 0; k < n; k++) {
      a[k] = re[k]! * cos[k]! + im[k]! * sin[k]!;
      b[k] = im[k]! * cos[k]! - re[k]! * sin[k]!;
    }
    transform(a, b);
    for (let k = 0; k < size; k++) {
      const x = a[k]! * chirpRe[k]! - b[k]! * chirpIm[k]!;
      // Conjugated, so that the forward transform goes back.
      b[k] = -(a[k]! * chirpIm[k]! + b[k]! * chirpRe[k]!);
      a[k] = x;
    }
    transform(a, b);
    for (let k = 0; k < n; k++) {
      const [x, y] = [a[k]! / size, -b[k]! / size];
      re[k] = x * cos[k]! + y * sin[k]!;
      im[k] = y * cos[k]! - x * sin[k]!;
    }
  };
}
