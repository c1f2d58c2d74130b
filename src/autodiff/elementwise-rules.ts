/** @file Gradients of elementwise operators that take more than a line. */
import {
  add,
  equal,
  erf,
  exp,
  log,
  mul,
  pow,
  sigmoid,
  square,
  sub,
  tanh,
  where,
} from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';

/** y = a^b: da = dy·b·a^(b-1), which is right for negative bases with whole exponents too. */
export function powBase(dy: Value, a: Value, b: Value): Value {
  return mul(dy, mul(b, pow(a, sub(b, 1))));
}

/** y = a^b: db = dy·y·ln a, and 0 at a = 0. */
export function powExponent(dy: Value, a: Value, y: Value): Value {
  const atZero = equal(a, 0);
  return mul(dy, where(atZero, 0, mul(y, log(where(atZero, 1, a)))));
}

/** y = x·Φ(x), so y' = Φ(x) + x·φ(x) with the normal density φ. */
export function exactGelu(dy: Value, x: Value): Value {
  const cdf = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
  const density = mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return mul(dy, add(cdf, mul(x, density)));
}

/**
 * y = x·(1 + t)/2 with t = tanh(u), u = c·(x + k·x³), so
 *
 *     y' = (1 + t)/2 + x·(1 - t²)/2·u',   u' = c·(1 + 3k·x²)
 */
export function tanhGelu(dy: Value, x: Value): Value {
  const [c, k] = [Math.sqrt(2 / Math.PI), 0.044715];
  const x2 = square(x);
  const t = tanh(mul(x, mul(add(mul(x2, k), 1), c)));
  const slope = mul(add(mul(x2, 3 * k), 1), 0.5 * c);
  const rise = mul(mul(x, sub(1, square(t))), slope);
  return mul(dy, add(mul(add(t, 1), 0.5), rise));
}

/**
 * y = x·s with s = σ(αx), so y' = s + αx·s·(1 - s) = s + αy - αy·s. For α = 1 (SiLU) this is
 * y - s·(y - 1), one pass over the features less.
 */
export function quickGelu(dy: Value, x: Value, y: Value, alpha: number): Value {
  if (alpha === 1) return mul(dy, sub(y, mul(sigmoid(x), sub(y, 1))));
  const s = sigmoid(mul(x, alpha));
  const ay = mul(y, alpha);
  return mul(dy, add(s, sub(ay, mul(ay, s))));
}
