/** @file PNG's row filters, chosen for each row by the least sum of differences (PNG 3rd ed., 9 and 12.7). */

/** Filter type bytes 0..4. */
const FILTERS = 5;

/** Rows of bytes, filtered: each becomes its filter's number and its differences. */
export class PngFilter {
  readonly #pixel: number;
  readonly #above: Uint8Array;
  readonly #trials: readonly Uint8Array[];

  /**
   * @param rowBytes bytes of one row
   * @param pixelBytes bytes of one pixel, the distance that differences are taken over
   */
  constructor(rowBytes: number, pixelBytes: number) {
    this.#pixel = pixelBytes;
    this.#above = new Uint8Array(rowBytes);
    this.#trials = Array.from({ length: FILTERS }, () => new Uint8Array(rowBytes));
  }

  /** Filters the next row into `out`, at `at`: one byte more than the row has. */
  next(row: Uint8Array, out: Uint8Array, at: number): void {
    const sums = this.#differences(row);
    let best = 0;
    for (let f = 1; f < FILTERS; f++) if (sums[f]! < sums[best]!) best = f;
    out[at] = best;
    out.set(best === 0 ? row : this.#trials[best]!, at + 1);
    this.#above.set(row);
  }

  /** Fills the trials and sums their bytes, as numbers between -128 and 127, without their signs. */
  #differences(row: Uint8Array): readonly number[] {
    const above = this.#above;
    const step = this.#pixel;
    const [, sub, up, average, paeth] = this.#trials as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    let [s0, s1, s2, s3, s4] = [0, 0, 0, 0, 0];
    for (let i = 0; i < row.length; i++) {
      const x = row[i]!;
      const b = above[i]!;
      const a = i < step ? 0 : row[i - step]!;
      const c = i < step ? 0 : above[i - step]!;
      const towards = a + b - c;
      const pa = Math.abs(towards - a);
      const pb = Math.abs(towards - b);
      const pc = Math.abs(towards - c);
      const predicted = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
      const d1 = ((x - a) << 24) >> 24;
      const d2 = ((x - b) << 24) >> 24;
      const d3 = ((x - ((a + b) >> 1)) << 24) >> 24;
      const d4 = ((x - predicted) << 24) >> 24;
      sub[i] = d1;
      up[i] = d2;
      average[i] = d3;
      paeth[i] = d4;
      s0 += Math.abs((x << 24) >> 24);
      s1 += Math.abs(d1);
      s2 += Math.abs(d2);
      s3 += Math.abs(d3);
      s4 += Math.abs(d4);
    }
    return [s0, s1, s2, s3, s4];
  }
}
