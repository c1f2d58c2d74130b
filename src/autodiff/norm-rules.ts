/**
 * @file Gradients of normalisations.
 *
 * With n elements, mean m, h = (x - m)·r and r = 1/sqrt(var + ε), y = γ·h + β, and g = γ·dy:
 *
 *     dγ = Σ dy·h        dβ = Σ dy
 *     dx = r·(g - mean(g) - h·mean(g·h))
 *
 * for x moves m and r too: dm/dx = 1/n and dr/dx = -r²·h/n (Ba 2016, appendix).
 */
import { add, div, mean, mul, reshape, sqrt, square, sub, sum } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { OpAttributes } from '../graph/ops.ts';
import { isAll } from './fixed.ts';
import type { Applied, Gradient } from './rule.ts';

/** Statistics over `axes`. */
interface Normal {
  /** h, of the input's shape */
  readonly normal: Value;
  /** 1/r */
  readonly deviation: Value;
}

function normalise(x: Value, axes: readonly number[], epsilon: number): Normal {
  const centred = sub(x, mean(x, axes));
  const deviation = sqrt(add(mean(square(centred), axes), epsilon));
  return { normal: div(centred, deviation), deviation };
}

function throughStatistics(
  g: Value,
  axes: readonly number[],
  { normal, deviation }: Normal,
): Value {
  const share = mul(normal, mean(mul(g, normal), axes));
  return div(sub(sub(g, mean(g, axes)), share), deviation);
}

/** Over all pixels of each channel. @param x `[N, C, ...]`, γ and β `[C]` */
export function instanceNormalization(
  dy: Value,
  [x, gamma, beta]: Applied['x'],
  y: Value,
  epsilon: number,
): readonly Gradient[] {
  const rank = x.shape.length;
  const axes = Array.from({ length: rank - 2 }, (_, i) => i + 2);
  const column = (v: Value): Value => reshape(v, [v.shape[0]!, ...axes.map(() => 1)]);
  let known: Normal | undefined;
  const stats = (): Normal => (known ??= normalise(x, axes, epsilon));
  const plain = isAll(gamma, 1) && isAll(beta, 0);
  return [
    () => {
      // Group norms are built on a plain one, whose output already is h.
      const normal = plain ? { ...stats(), normal: y } : stats();
      return throughStatistics(plain ? dy : mul(dy, column(gamma)), axes, normal);
    },
    () => sum(mul(dy, stats().normal), [0, ...axes], false),
    () => sum(dy, [0, ...axes], false),
  ];
}

/** Over the axes from `axis` on. γ and β have the shape of those axes. */
export function layerNormalization(
  dy: Value,
  [x, gamma]: Applied['x'],
  { axis, epsilon }: OpAttributes['LayerNormalization'],
): readonly Gradient[] {
  const rank = x.shape.length;
  const first = (axis + rank) % rank;
  const axes = Array.from({ length: rank - first }, (_, i) => first + i);
  let known: Normal | undefined;
  const stats = (): Normal => (known ??= normalise(x, axes, epsilon));
  return [
    () => throughStatistics(mul(dy, gamma), axes, stats()),
    () => mul(dy, stats().normal),
    () => dy,
  ];
}
