/** @file Asymmetric generalised Gaussians fitted by matching moments (Lasmar 2009), as NIQE uses them. */
import { gamma } from './gamma.ts';

/** Moments of a set of values; `left` and `right` are those below and above zero. */
export interface Moments {
  readonly count: number;
  readonly absolute: number;
  readonly leftCount: number;
  readonly leftSquares: number;
  readonly rightCount: number;
  readonly rightSquares: number;
}

/** Shape, mean, and the widths of the two halves. */
export interface Aggd {
  readonly alpha: number;
  readonly mean: number;
  readonly left: number;
  readonly right: number;
}

/** What depends on the shape alone, for the shapes 0.2, 0.201, ..., 10. */
interface ShapeTable {
  /** `G(2/a)^2 / (G(1/a) G(3/a))`, which grows with a. */
  readonly ratio: Float64Array;
  /** `sqrt(G(1/a) / G(3/a))`, from deviation to width. */
  readonly width: Float64Array;
  /** `G(2/a) / G(1/a)`, from the widths' difference to the mean. */
  readonly mean: Float64Array;
}

const shapes = 9801;
let table: ShapeTable | undefined;

/**
 * The distribution whose moments are these. NaN throughout when no value lies on one of the two
 * sides of zero, as in a flat area.
 */
export function fitAggd(m: Moments): Aggd {
  const { ratio, width, mean } = (table ??= makeTable());
  const leftDeviation = Math.sqrt(m.leftSquares / m.leftCount);
  const rightDeviation = Math.sqrt(m.rightSquares / m.rightCount);
  const skew = leftDeviation / rightDeviation;
  const square = (m.leftSquares + m.rightSquares) / m.count;
  const r = (m.absolute / m.count) ** 2 / square;
  const wanted = (r * (skew ** 3 + 1) * (skew + 1)) / (skew ** 2 + 1) ** 2;
  if (Number.isNaN(wanted)) return { alpha: NaN, mean: NaN, left: NaN, right: NaN };
  const i = nearest(ratio, wanted);
  const left = leftDeviation * width[i]!;
  const right = rightDeviation * width[i]!;
  return { alpha: shapeAt(i), mean: (right - left) * mean[i]!, left, right };
}

function shapeAt(i: number): number {
  return 0.2 + i * 0.001;
}

function makeTable(): ShapeTable {
  const made = {
    ratio: new Float64Array(shapes),
    width: new Float64Array(shapes),
    mean: new Float64Array(shapes),
  };
  for (let i = 0; i < shapes; i++) {
    const [one, two, three] = [1, 2, 3].map((k) => gammaOfQuotient(k, shapeAt(i))) as [
      number,
      number,
      number,
    ];
    made.ratio[i] = two ** 2 / (one * three);
    made.width[i] = Math.sqrt(one / three);
    made.mean[i] = two / one;
  }
  return made;
}

/** `G(k / a)`, by `G(x) = G(x + 1) / x` kept where the series is at its best. */
function gammaOfQuotient(k: number, a: number): number {
  return gamma(k / a + 1) / (k / a);
}

/** Where in an ascending row the entry nearest to `value` is. */
function nearest(row: Float64Array, value: number): number {
  let [low, high] = [0, row.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (row[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low > 0 && value - row[low - 1]! <= row[low]! - value ? low - 1 : low;
}
