/** @file Tells generated tiles that cannot be right: not numbers, or one flat value where the input has a picture. */

/** Spread of an input, in [-1, 1], above which its result must not be flat. */
const lively = 0.1;
/** Spread below which a result is flat: about a level of 255. */
const flat = 0.008;

/** Least and most value; NaN for both when a value is not finite. */
function range(values: Float32Array): { readonly least: number; readonly most: number } {
  let least = Infinity;
  let most = -Infinity;
  for (const v of values) {
    if (!(v - v === 0)) return { least: NaN, most: NaN };
    if (v < least) least = v;
    if (v > most) most = v;
  }
  return { least, most };
}

/**
 * What is wrong with a generated tile; undefined when nothing is.
 *
 * @param input what the network was given, in [-1, 1]
 * @param result of the same length
 */
export function rubbish(input: Float32Array, result: Float32Array): string | undefined {
  const out = range(result);
  if (Number.isNaN(out.least)) return 'values that are no numbers';
  const given = range(input);
  if (given.most - given.least < lively || out.most - out.least > flat) return undefined;
  return out.most <= -1 + flat ? 'a black tile' : 'a tile of one colour';
}
