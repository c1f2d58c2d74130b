/** @file Losses on pictures. */
import { add, meanAll, neg, relu, square, sub } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';

/** The mean squared error of everything, a scalar. */
export function mse(a: Value, b: Value): Value {
  return meanAll(square(sub(a, b)));
}

/** What a generator minimises against a discriminator: `-mean D(made)` (Lim & Ye 2017). */
export function generatorHinge(made: Value): Value {
  return neg(meanAll(made));
}

/** What a discriminator minimises: `mean max(0, 1 - D(real)) + mean max(0, 1 + D(made))`. */
export function discriminatorHinge(real: Value, made: Value): Value {
  return add(meanAll(relu(sub(1, real))), meanAll(relu(add(made, 1))));
}
