/** @file InceptionV3 as TensorFlow released it for FID (Szegedy 2015; Heusel 2017), under pytorch-fid's names. */
import { averagePool, concat, maxPool, mean, relu } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { convBatchNorm } from '../nn/batch-norm.ts';

/** Pixels a side of the pictures it sees. */
export const inceptionSize = 299;
/** Numbers it makes of a picture. */
export const inceptionFeatures = 2048;

const epsilon = 1e-3;

/**
 * Features of the last pooling.
 *
 * It differs from torchvision's: averages leave padding out, and the last block pools by maximum.
 *
 * @param x `[N, 3, 299, 299]` in [-1, 1]
 * @returns `[N, 2048]`
 */
export function inception(s: Scope, x: Value): Value {
  let h = unit(s.at('Conv2d_1a_3x3'), x, 32, 3, { stride: 2 });
  h = unit(s.at('Conv2d_2a_3x3'), h, 32, 3);
  h = s.at('block0').out(halve(unit(s.at('Conv2d_2b_3x3'), h, 64, 3, { padding: 1 })));
  h = unit(s.at('Conv2d_3b_1x1'), h, 80, 1);
  h = s.at('block1').out(halve(unit(s.at('Conv2d_4a_3x3'), h, 192, 3)));
  h = blockA(s.at('Mixed_5b'), h, 32);
  h = blockA(s.at('Mixed_5c'), h, 64);
  h = blockA(s.at('Mixed_5d'), h, 64);
  h = reduction(s.at('Mixed_6a'), h);
  h = blockC(s.at('Mixed_6b'), h, 128);
  h = blockC(s.at('Mixed_6c'), h, 160);
  h = blockC(s.at('Mixed_6d'), h, 160);
  h = s.at('block2').out(blockC(s.at('Mixed_6e'), h, 192));
  h = lastReduction(s.at('Mixed_7a'), h);
  h = blockE(s.at('Mixed_7b'), h, average);
  h = blockE(s.at('Mixed_7c'), h, largest);
  return s.at('block3').out(mean(h, [2, 3], false));
}

interface UnitOptions {
  readonly stride?: number;
  /** On all sides; or above and below, then left and right. */
  readonly padding?: number | readonly [number, number];
}

/** Convolution, normalisation, ReLU. @param kernel a side, or height and width */
function unit(
  s: Scope,
  x: Value,
  out: number,
  kernel: number | readonly [number, number],
  { stride = 1, padding = 0 }: UnitOptions = {},
): Value {
  const size = typeof kernel === 'number' ? ([kernel, kernel] as const) : kernel;
  const [top, left] = typeof padding === 'number' ? [padding, padding] : padding;
  const options = { strides: [stride, stride], pads: [top, left, top, left], epsilon } as const;
  return relu(convBatchNorm({ conv: s.at('conv'), norm: s.at('bn') }, x, out, size, options));
}

const halving = { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 0, 0, 0] } as const;
const around = { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] } as const;

const halve = (x: Value): Value => maxPool(x, halving);
const average = (x: Value): Value => averagePool(x, around, false);
const largest = (x: Value): Value => maxPool(x, around);

/** 1x1, 5x5, two 3x3, and pooling, side by side. */
function blockA(s: Scope, x: Value, pooled: number): Value {
  const wide = unit(s.at('branch5x5_1'), x, 48, 1);
  const twice = unit(s.at('branch3x3dbl_1'), x, 64, 1);
  const twice2 = unit(s.at('branch3x3dbl_2'), twice, 96, 3, { padding: 1 });
  return join(s, [
    unit(s.at('branch1x1'), x, 64, 1),
    unit(s.at('branch5x5_2'), wide, 64, 5, { padding: 2 }),
    unit(s.at('branch3x3dbl_3'), twice2, 96, 3, { padding: 1 }),
    unit(s.at('branch_pool'), average(x), pooled, 1),
  ]);
}

/** Halves the size. */
function reduction(s: Scope, x: Value): Value {
  const twice = unit(s.at('branch3x3dbl_1'), x, 64, 1);
  const twice2 = unit(s.at('branch3x3dbl_2'), twice, 96, 3, { padding: 1 });
  return join(s, [
    unit(s.at('branch3x3'), x, 384, 3, { stride: 2 }),
    unit(s.at('branch3x3dbl_3'), twice2, 96, 3, { stride: 2 }),
    halve(x),
  ]);
}

const row = [1, 7] as const;
const column = [7, 1] as const;
const besides = [0, 3] as const;
const above = [3, 0] as const;

/** 7x7 as rows and columns, once and twice. @param width of the narrow layers */
function blockC(s: Scope, x: Value, width: number): Value {
  let once = unit(s.at('branch7x7_1'), x, width, 1);
  once = unit(s.at('branch7x7_2'), once, width, row, { padding: besides });
  let twice = unit(s.at('branch7x7dbl_1'), x, width, 1);
  twice = unit(s.at('branch7x7dbl_2'), twice, width, column, { padding: above });
  twice = unit(s.at('branch7x7dbl_3'), twice, width, row, { padding: besides });
  twice = unit(s.at('branch7x7dbl_4'), twice, width, column, { padding: above });
  return join(s, [
    unit(s.at('branch1x1'), x, 192, 1),
    unit(s.at('branch7x7_3'), once, 192, column, { padding: above }),
    unit(s.at('branch7x7dbl_5'), twice, 192, row, { padding: besides }),
    unit(s.at('branch_pool'), average(x), 192, 1),
  ]);
}

/** Halves the size a second time. */
function lastReduction(s: Scope, x: Value): Value {
  const narrow = unit(s.at('branch3x3_1'), x, 192, 1);
  let wide = unit(s.at('branch7x7x3_1'), x, 192, 1);
  wide = unit(s.at('branch7x7x3_2'), wide, 192, row, { padding: besides });
  wide = unit(s.at('branch7x7x3_3'), wide, 192, column, { padding: above });
  return join(s, [
    unit(s.at('branch3x3_2'), narrow, 320, 3, { stride: 2 }),
    unit(s.at('branch7x7x3_4'), wide, 192, 3, { stride: 2 }),
    halve(x),
  ]);
}

/** 3x3 as a row and a column side by side. */
function blockE(s: Scope, x: Value, pool: (x: Value) => Value): Value {
  const once = unit(s.at('branch3x3_1'), x, 384, 1);
  const twice = unit(s.at('branch3x3dbl_1'), x, 448, 1);
  const twice2 = unit(s.at('branch3x3dbl_2'), twice, 384, 3, { padding: 1 });
  const cross = (name: string, h: Value): Value[] => [
    unit(s.at(`${name}a`), h, 384, [1, 3], { padding: [0, 1] }),
    unit(s.at(`${name}b`), h, 384, [3, 1], { padding: [1, 0] }),
  ];
  return join(s, [
    unit(s.at('branch1x1'), x, 320, 1),
    ...cross('branch3x3_2', once),
    ...cross('branch3x3dbl_3', twice2),
    unit(s.at('branch_pool'), pool(x), 192, 1),
  ]);
}

function join(s: Scope, branches: readonly Value[]): Value {
  return s.out(concat(branches, 1));
}
