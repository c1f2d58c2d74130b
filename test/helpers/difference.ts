/** @file Compares samples, and says where the image fixtures lie. */
import { fileURLToPath } from 'node:url';

/** The absolute path of an image fixture. */
export function imageFixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/image/${name}`, import.meta.url));
}

/** How two equally long arrays differ: the largest absolute difference, and how many elements do. */
export interface Difference {
  readonly largest: number;
  readonly count: number;
}

/**
 * Compares element by element; a NaN on one side only, or on both, differs by infinity.
 *
 * @throws RangeError when lengths differ, or both are empty: nothing would have been compared.
 */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): Difference {
  if (a.length !== b.length || a.length === 0) {
    throw new RangeError(`expected two arrays of one length, got ${a.length} and ${b.length}`);
  }
  let largest = 0;
  let count = 0;
  for (let i = 0; i < a.length; i++) {
    const d = Math.abs(a[i]! - b[i]!);
    if (d === 0) continue; // a NaN goes on
    count++;
    largest = Number.isNaN(d) ? Number.POSITIVE_INFINITY : Math.max(largest, d);
  }
  return { largest, count };
}
