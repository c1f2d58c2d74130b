import test from 'ava';
import { fillNormal } from '../../src/tensor/normal.ts';
import { drawCounts } from '../../src/degrade/poisson.ts';
import { Random, xoshiro } from '../../src/tensor/random.ts';
import { UsageError } from '../../src/tensor/errors.ts';

/** xoshiro128** as its authors write it, in unbounded integers. */
function* reference(seed: readonly [bigint, bigint, bigint, bigint]): Generator<number> {
  const word = (x: bigint) => BigInt.asUintN(32, x);
  const rotl = (x: bigint, k: bigint) => word((x << k) | (x >> (32n - k)));
  let [a, b, c, d] = seed;
  for (;;) {
    yield Number(word(rotl(word(b * 5n), 7n) * 9n));
    const t = word(b << 9n);
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotl(d, 11n);
  }
}

test('draws the bits of xoshiro128**', (t) => {
  const state = Int32Array.of(1, 2, 3, 4);
  const expected = reference([1n, 2n, 3n, 4n]);
  t.is(xoshiro(state), 11520); // by hand: rotl(2 * 5, 7) * 9
  expected.next();
  for (let i = 0; i < 1000; i++) t.is(xoshiro(state), expected.next().value as number);
});

test('a stream is the same on every platform', (t) => {
  const random = new Random([2 ** 53 - 1, 7]);
  t.deepEqual(
    Array.from({ length: 4 }, () => random.bits()),
    [823904858, 2741104221, 3329524804, 1312603744],
  );
});

test('streams of different names share nothing', (t) => {
  const names = [[], [0], [0, 0], [1], [0, 1], [1, 0], [2 ** 32], [2 ** 32 + 1], [0, 0, 0]];
  const firsts = names.map((name) => new Random(name).bits());
  t.is(new Set(firsts).size, names.length);
});

test('refuses what is no seed', (t) => {
  for (const bad of [-1, 0.5, Number.NaN, 2 ** 53]) {
    t.throws(() => new Random([bad]), { instanceOf: UsageError, message: /^seed: expected whole/ });
  }
});

test('uniform numbers fill [0, 1) evenly', (t) => {
  const random = new Random([5]);
  const bins = new Float64Array(64);
  for (let i = 0; i < 64_000; i++) {
    const u = random.uniform();
    t.true(u >= 0 && u < 1);
    bins[Math.floor(u * 64)]! += 1;
  }
  t.true(
    chiSquare(
      bins,
      bins.map(() => 1000),
    ) < 103.4,
  ); // 0.1 % of 63 degrees of freedom
});

test('integers below a count are all as likely', (t) => {
  const random = new Random([6]);
  const bins = new Float64Array(11);
  for (let i = 0; i < 11_000; i++) bins[random.below(11)]! += 1;
  t.true(
    chiSquare(
      bins,
      bins.map(() => 1000),
    ) < 29.6,
  ); // 0.1 % of 10 degrees of freedom
  // A third of the 32-bit numbers are above the largest multiple, so rejection is at work here.
  const high = Array.from({ length: 2000 }, () => random.below(3 * 2 ** 30));
  t.true(high.every((value) => value < 3 * 2 ** 30));
  t.true(Math.abs(high.reduce((sum, value) => sum + value, 0) / 2000 / (1.5 * 2 ** 30) - 1) < 0.05);
});

test('weights decide how often a key is drawn', (t) => {
  const random = new Random([8]);
  const counts = { a: 0, never: 0, b: 0 };
  for (let i = 0; i < 8000; i++) counts[random.weighted({ a: 3, never: 0, b: 1 })]++;
  t.is(counts.never, 0);
  t.true(Math.abs(counts.a - 6000) < 4 * Math.sqrt(8000 * 0.75 * 0.25));
});

test('normal numbers follow the normal distribution, tails included', (t) => {
  const n = 400_000;
  const x = new Float32Array(n);
  fillNormal(new Random([9]), x);
  const moment = (k: number) => x.reduce((sum, v) => sum + v ** k, 0) / n;
  t.true(Math.abs(moment(1)) < 4 / Math.sqrt(n));
  t.true(Math.abs(moment(2) - 1) < 4 * Math.sqrt(2 / n));
  t.true(Math.abs(moment(3)) < 4 * Math.sqrt(15 / n));
  t.true(Math.abs(moment(4) - 3) < 4 * Math.sqrt(96 / n));
  const sorted = x.slice().sort();
  let distance = 0;
  for (let i = 0; i < n; i++) {
    distance = Math.max(distance, Math.abs((i + 0.5) / n - normalCdf(sorted[i]!)));
  }
  t.true(distance < 1.95 / Math.sqrt(n), `Kolmogorov-Smirnov: ${distance}`); // 0.1 %
  // Beyond the ziggurat's last layer: 2 (1 - Phi(3.654)) = 2.58e-4 of all.
  const far = x.filter((v) => Math.abs(v) > 3.6541528853610088);
  t.true(Math.abs(far.length - 103.2) < 4 * Math.sqrt(103.2), `${far.length} beyond the tail`);
  t.true(far.some((v) => v > 0) && far.some((v) => v < 0));
  t.true(far.some((v) => Math.abs(v) > 4));
});

for (const [byte, levels] of [
  [1, 8],
  [40, 16],
  [128, 32],
  [90, 256],
  [255, 256],
] as const) {
  test(`counts of byte ${byte} at ${levels} levels follow the Poisson distribution`, (t) => {
    const n = 50_000;
    const rate = (byte / 255) * levels;
    const counts = drawCounts(new Random([byte, levels]), new Uint8Array(n).fill(byte), levels);
    const top = counts.reduce((a, b) => Math.max(a, b), 0);
    const [seen, expected] = [new Float64Array(top + 2), new Float64Array(top + 2)];
    for (const count of counts) seen[count]! += 1;
    let logFactorial = 0;
    for (let k = 0; k <= top; k++) {
      if (k > 0) logFactorial += Math.log(k);
      expected[k] = n * Math.exp(k * Math.log(rate) - rate - logFactorial);
    }
    const { statistic, freedom } = pooledChiSquare(seen, expected);
    // Wilson and Hilferty's approximation of the 0.1 % point.
    const limit = freedom * (1 - 2 / (9 * freedom) + 3.09 * Math.sqrt(2 / (9 * freedom))) ** 3;
    t.true(statistic < limit, `${statistic} of ${limit}`);
  });
}

test('black has no counts', (t) => {
  t.deepEqual(drawCounts(new Random([1]), new Uint8Array(9), 256), new Float32Array(9));
});

function chiSquare(seen: Float64Array, expected: Float64Array): number {
  return seen.reduce((sum, value, i) => sum + (value - expected[i]!) ** 2 / expected[i]!, 0);
}

/** Bins are joined until each expects ten; what is left over joins the last. */
function pooledChiSquare(
  seen: Float64Array,
  expected: Float64Array,
): { statistic: number; freedom: number } {
  const bins: [number, number][] = [[0, 0]];
  for (let k = 0; k < seen.length; k++) {
    const bin = bins.at(-1)!;
    bin[0] += seen[k]!;
    bin[1] += expected[k]!;
    if (bin[1] >= 10) bins.push([0, 0]);
  }
  const [rest] = bins.splice(-1);
  bins.at(-1)![0] += rest![0];
  bins.at(-1)![1] += rest![1];
  const statistic = bins.reduce((sum, [a, b]) => sum + (a - b) ** 2 / b, 0);
  return { statistic, freedom: bins.length - 1 };
}

/** Abramowitz and Stegun 26.2.17: to 7.5e-8. */
function normalCdf(x: number): number {
  const k = 1 / (1 + 0.2316419 * Math.abs(x));
  const poly =
    k *
    (0.31938153 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))));
  const upper = (Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI)) * poly;
  return x < 0 ? upper : 1 - upper;
}
