/** @file Blocks of the Swin transformer (Liu 2021, "Hierarchical Vision Transformer using Shifted Windows"). */
import { add, concat, gelu, reshape, slice, transpose } from '../graph/functions.ts';
import type { Graph, Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { attention } from '../nn/attention.ts';
import { linear } from '../nn/linear.ts';
import { layerNorm } from '../nn/norm.ts';
import { type Tensor, zeros } from '../tensor/tensor.ts';

/** The layer norms of every Swin. */
export const swinEpsilon = 1e-5;

/** How the blocks of one stage cut their tokens into windows. */
export interface Windows {
  /** Tokens a side: the stage is square. */
  readonly side: number;
  /** Tokens a side of a window; divides `side`. */
  readonly size: number;
  /** How far odd blocks roll their tokens up and left before they cut; 0 where one window is all. */
  readonly shift: number;
  /** Keeps tokens of odd blocks apart that rolling made neighbours: {@link shiftMask}. */
  readonly mask: Value | undefined;
}

/** The windows of a stage of `side` tokens a side, for `count` pictures. */
export function windowsOf(graph: Graph, side: number, size: number, count: number): Windows {
  const shift = side > size ? size >> 1 : 0;
  const mask = shift > 0 ? graph.constant(shiftMask(side, size, shift, count)) : undefined;
  return { side, size, shift, mask };
}

/** Sizes of a block. */
export interface SwinBlock {
  readonly heads: number;
  /** Width of the hidden layer of its MLP. */
  readonly hidden: number;
}

/**
 *     h = x + attn(norm1(x))
 *     y = h + mlp(norm2(h))
 *
 * @param x tokens row by row, `[N, side·side, C]`
 * @param shifted whether windows are cut after rolling
 */
export function swinBlock(
  s: Scope,
  x: Value,
  { heads, hidden }: SwinBlock,
  windows: Windows,
  shifted: boolean,
): Value {
  const width = x.shape[2] as number;
  const normal = layerNorm(s.at('norm1'), x, swinEpsilon);
  const h = add(x, windowAttention(s.at('attn'), normal, heads, windows, shifted));
  const wide = linear(s.at('mlp', 'fc1'), layerNorm(s.at('norm2'), h, swinEpsilon), hidden);
  return s.out(add(h, linear(s.at('mlp', 'fc2'), gelu(wide), width)));
}

/** Self-attention inside each window. @param x `[N, side·side, C]` */
function windowAttention(
  s: Scope,
  x: Value,
  heads: number,
  { side, size, shift, mask }: Windows,
  shifted: boolean,
): Value {
  const [n, , width] = x.shape as [number, number, number];
  const across = side / size;
  const by = shifted ? shift : 0;
  const rolled = roll(reshape(x, [n, side, side, width]), by);
  const cut = transpose(
    reshape(rolled, [n, across, size, across, size, width]),
    [0, 1, 3, 2, 4, 5],
  );
  const tokens = reshape(cut, [n * across * across, size * size, width]);

  const qkv = linear(s.at('qkv'), tokens, 3 * width);
  const [q, k, v] = [0, 1, 2].map((i) => slice(qkv, 2, i * width, (i + 1) * width));
  const places = positionBias(s, size, heads); // [heads, L, L]
  const bias = by > 0 ? add(places, mask!) : places;
  const y = linear(s.at('proj'), attention(q!, k!, v!, heads, bias), width);

  const rows = transpose(
    reshape(s.out(y), [n, across, across, size, size, width]),
    [0, 1, 3, 2, 4, 5],
  );
  return reshape(roll(reshape(rows, [n, side, side, width]), -by), [n, side * side, width]);
}

/** Moves rows up and columns left by `by`, round the edge. @param x `[N, H, W, C]` */
function roll(x: Value, by: number): Value {
  if (by === 0) return x;
  return [1, 2].reduce((y, axis) => {
    const cut = (by + (y.shape[axis] as number)) % (y.shape[axis] as number);
    return concat([slice(y, axis, cut), slice(y, axis, 0, cut)], axis);
  }, x);
}

/**
 * What attention scores gain by where two tokens of a window lie to each other: a row of the table
 * for each of the (2·size - 1)² ways.
 *
 * @returns `[heads, size², size²]`
 */
function positionBias(s: Scope, size: number, heads: number): Value {
  const ways = 2 * size - 1;
  const tokens = size * size;
  const key = s.key('relative_position_bias_table');
  return s.derived('relative_position_bias', {
    shape: [heads, tokens, tokens],
    sources: [{ key, shape: [ways * ways, heads] }],
    make: ([table]) => {
      const bias = zeros('float32', [heads, tokens, tokens]);
      for (let i = 0, o = 0; i < heads; i++) {
        for (let q = 0; q < tokens; q++) {
          for (let k = 0; k < tokens; k++) {
            const dy = Math.floor(q / size) - Math.floor(k / size) + size - 1;
            const dx = (q % size) - (k % size) + size - 1;
            bias.data[o++] = table!.data[(dy * ways + dx) * heads + i]!;
          }
        }
      }
      return bias;
    },
  });
}

/**
 * -100 between tokens of a window that lay apart before rolling, as the official code has it (not
 * minus infinity: a little attention leaks).
 *
 * @returns `[count·(side/size)², 1, size², size²]`
 */
function shiftMask(side: number, size: number, shift: number, count: number): Tensor<'float32'> {
  const across = side / size;
  const tokens = size * size;
  const mask = zeros('float32', [count * across * across, 1, tokens, tokens]);
  const zone = (place: number): number => (place < side - size ? 0 : place < side - shift ? 1 : 2);
  const region = (window: number, token: number): number => {
    const row = (Math.floor(window / across) % across) * size + Math.floor(token / size);
    const column = (window % across) * size + (token % size);
    return 3 * zone(row) + zone(column);
  };
  for (let window = 0, o = 0; window < count * across * across; window++) {
    for (let q = 0; q < tokens; q++) {
      for (let k = 0; k < tokens; k++, o++) {
        if (region(window, q) !== region(window, k)) mask.data[o] = -100;
      }
    }
  }
  return mask;
}

/**
 * Halves the sides: the four tokens of each 2x2 square side by side, normalised and projected.
 *
 * @param x `[N, side·side, C]`
 * @returns `[N, side·side/4, 2·C]`
 */
export function mergePatches(s: Scope, x: Value, side: number): Value {
  const [n, , width] = x.shape as [number, number, number];
  const half = side / 2;
  const squares = reshape(x, [n, half, 2, half, 2, width]); // [N, h, row, w, column, C]
  const merged = reshape(transpose(squares, [0, 1, 3, 4, 2, 5]), [n, half * half, 4 * width]);
  const normal = layerNorm(s.at('norm'), merged, swinEpsilon);
  return s.out(linear(s.at('reduction'), normal, 2 * width, { bias: false }));
}
