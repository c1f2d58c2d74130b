/** @file The gamma function of real numbers, by Lanczos' series (Lanczos 1964; g = 7, nine terms). */

const g = 7;
// prettier-ignore
const terms = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
  -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
  1.5056327351493116e-7,
];

/** Gamma of x > 0.5, to about 1e-14 of its value. */
export function gamma(x: number): number {
  const shifted = x - 1;
  const series = terms.reduce((sum, term, i) => (i === 0 ? term : sum + term / (shifted + i)), 0);
  const t = shifted + g + 0.5;
  return Math.sqrt(2 * Math.PI) * t ** (shifted + 0.5) * Math.exp(-t) * series;
}
