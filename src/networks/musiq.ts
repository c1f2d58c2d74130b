/** @file MUSIQ (Ke 2021, "MUSIQ: Multi-scale Image Quality Transformer"): a ResNet for patches, a transformer over them. */
import {
  add,
  concat,
  conv2d,
  gather,
  gelu,
  greater,
  matMul,
  maxPool,
  mul,
  relu,
  reshape,
  slice,
  softmax,
  sum,
  transpose,
  where,
} from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import { linear } from '../nn/linear.ts';
import { groupNorm, layerNorm } from '../nn/norm.ts';
import { WeightError } from '../tensor/errors.ts';
import { float32, type Tensor } from '../tensor/tensor.ts';

export interface MusiqConfig {
  /** Pixels a side of a patch. */
  readonly patch: number;
  /** Rows and columns that places are counted in. */
  readonly grid: number;
  readonly scales: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly hidden: number;
  /** 1 for a score; 10 for how many people would give each mark from 1 to 10. */
  readonly marks: number;
  /** Name of the head's layer: a bare one, or the first of a sequence. */
  readonly head: 'head' | 'head.0';
}

/** Heads of attention in every published MUSIQ: no shape tells them. */
const publishedHeads = 6;
const epsilon = 1e-6;

/**
 * Reads the sizes off the weights.
 *
 * @param label the file, for messages
 * @param heads of attention
 * @throws WeightError when they are not of a MUSIQ
 */
export function musiqConfig(
  shapes: ReadonlyMap<string, readonly number[]>,
  label: string,
  heads: number = publishedHeads,
): MusiqConfig {
  const shape = (key: string): readonly number[] => {
    const found = shapes.get(key);
    if (found) return found;
    throw new WeightError(
      `${label}: expected the weights of MUSIQ, but "${key}" is missing. Give musiq_koniq_ckpt-e95806b9.pth.`,
    );
  };
  const [width, columns] = shape('embedding.weight') as [number, number];
  const block = (i: number): string => `transformer_encoder.transformer.encoderblock_${i}`;
  let layers = 0;
  while (shapes.has(`${block(layers)}.norm1.weight`)) layers++;
  const head = shapes.has('head.weight') ? 'head' : 'head.0';
  return {
    patch: 4 * Math.round(Math.sqrt(columns / shape('block1.conv3.weight')[0]!)),
    grid: Math.round(Math.sqrt(shape('transformer_encoder.posembed_input.position_emb')[1]!)),
    scales: shape('transformer_encoder.scaleembed_input.scale_emb')[0]!,
    width,
    layers,
    heads,
    hidden: shape(`${block(0)}.mlp.fc1.weight`)[0]!,
    marks: shape(`${head}.weight`)[0]!,
    head,
  };
}

/** Patches of one picture, as inputs of the graph: see `measures/musiq-patches.ts`. */
export interface MusiqInputs {
  /** `[T, 3, patch, patch]` in [-1, 1] */
  readonly patches: Value;
  /** `[T]`, int64 */
  readonly places: Value;
  /** `[T]`, int64 */
  readonly scales: Value;
  /** `[T]`, 1 or 0 */
  readonly mask: Value;
}

/**
 * The score of one picture, on the scale of the people it was trained on.
 *
 * @returns `[1, 1]`; `distribution` of marks `[1, marks]` where the network gives one
 */
export function musiq(
  s: Scope,
  inputs: MusiqInputs,
  config: MusiqConfig,
): { readonly score: Value; readonly distribution?: Value } {
  const { width, marks } = config;
  const tokens = linear(s.at('embedding'), patchFeatures(s, inputs.patches, config), width);
  const h = transformer(s.at('transformer_encoder'), tokens, inputs, config);
  const y = linear(s.at(config.head), reshape(slice(h, 1, 0, 1), [1, width]), marks);
  if (marks === 1) return { score: y };
  const distribution = softmax(y);
  const values = Array.from({ length: marks }, (_, i) => i + 1);
  const weighted = mul(distribution, s.graph.constant(float32([1, marks], values)));
  return { score: sum(weighted, [1]), distribution };
}

/** The first layers of a ResNet. @returns `[1, T, patch²/16·C]`, row, column, channel */
function patchFeatures(s: Scope, x: Value, { patch }: MusiqConfig): Value {
  const root = groupNorm(s.at('gn_root'), standardConv(s.at('conv_root'), x, 64, 7, 2), {
    groups: 32,
    epsilon: 1e-6,
  });
  // "Same" padding as TensorFlow has it lies at the end where it is uneven.
  const pooling = { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 0, 1, 1] } as const;
  const h = block(s.at('block1'), s.at('root_pool').out(maxPool(relu(root), pooling)), 64, 256);
  const area = (patch / 4) ** 2;
  return reshape(transpose(h, [0, 2, 3, 1]), [1, -1, area * (h.shape[1] as number)]);
}

/** Bottleneck with group norms. */
function block(s: Scope, x: Value, width: number, out: number): Value {
  const norm = (name: string, h: Value): Value =>
    groupNorm(s.at(name), h, { groups: 32, epsilon: 1e-4 });
  const shortcut = norm('gn_proj', standardConv(s.at('conv_proj'), x, out, 1, 1));
  let h = relu(norm('gn1', standardConv(s.at('conv1'), x, width, 1, 1)));
  h = relu(norm('gn2', standardConv(s.at('conv2'), h, width, 3, 1)));
  h = norm('gn3', standardConv(s.at('conv3'), h, out, 1, 1));
  return s.out(relu(add(shortcut, h)));
}

/** A convolution whose weights are standardised (Qiao 2019), padded as TensorFlow's "same". */
function standardConv(s: Scope, x: Value, out: number, kernel: number, stride: number): Value {
  const shape = [out, x.shape[1] as number, kernel, kernel];
  const w = s.derived('weight.standard', {
    shape,
    sources: [{ key: s.key('weight'), shape }],
    make: ([weight]) => standardised(weight!),
  });
  const [before, after] = [Math.floor((kernel - stride) / 2), Math.ceil((kernel - stride) / 2)];
  const pads = [before, before, after, after] as const;
  return conv2d(x, w, undefined, { strides: [stride, stride], pads });
}

/** Each filter by its own mean and its unbiased deviation. */
function standardised(weight: Tensor<'float32'>): Tensor<'float32'> {
  const length = weight.data.length / weight.shape[0]!;
  const data = new Float32Array(weight.data.length);
  for (let start = 0; start < data.length; start += length) {
    const filter = weight.data.subarray(start, start + length);
    const mean = filter.reduce((sum, v) => sum + v, 0) / length;
    const squares = filter.reduce((sum, v) => sum + (v - mean) ** 2, 0);
    const deviation = Math.sqrt(squares / (length - 1)) + 1e-5;
    data.set(
      filter.map((v) => (v - mean) / deviation),
      start,
    );
  }
  return { ...weight, data };
}

/** @returns `[1, 1 + T, width]`, the class token first */
function transformer(
  s: Scope,
  tokens: Value,
  { places, scales, mask }: MusiqInputs,
  config: MusiqConfig,
): Value {
  const { grid, width, layers } = config;
  const positions = s.at('posembed_input').weight('position_emb', [1, grid * grid, width]);
  const versions = s.at('scaleembed_input').weight('scale_emb', [config.scales, width]);
  const placed = add(tokens, gather(reshape(positions, [grid * grid, width]), places));
  const first = s.weight('cls', [1, 1, width]);
  let h = concat([first, add(placed, gather(versions, scales))], 1);
  const seen = concat([s.graph.constant(float32([1], [1])), mask], 0);
  for (let i = 0; i < layers; i++) {
    h = encoderBlock(s.at('transformer', `encoderblock_${i}`), h, seen, config);
  }
  return layerNorm(s.at('encoder_norm'), h, epsilon);
}

/**
 *     h = x + W·attention(norm1(x))
 *     y = h + W2·gelu(W1·norm2(h))
 *
 * @param seen `[1 + T]`, 0 of tokens that only fill up
 */
function encoderBlock(s: Scope, x: Value, seen: Value, config: MusiqConfig): Value {
  const { width, hidden, heads } = config;
  const normal = layerNorm(s.at('norm1'), x, epsilon);
  const at = s.at('attention');
  const [q, k, v] = ['query', 'key', 'value'].map((name) => linear(at.at(name), normal, width));
  const h = add(x, linear(at.at('out'), maskedAttention(q!, k!, v!, seen, heads), width));
  const wide = gelu(linear(s.at('mlp', 'fc1'), layerNorm(s.at('norm2'), h, epsilon), hidden));
  return s.out(add(h, linear(s.at('mlp', 'fc2'), wide, width)));
}

/** Attention in which scores of tokens that only fill up are -1000 instead of what they were. */
function maskedAttention(q: Value, k: Value, v: Value, seen: Value, heads: number): Value {
  const [, length, width] = q.shape as [number, string, number];
  const head = width / heads;
  const split = (x: Value): Value => transpose(reshape(x, [1, length, heads, head]), [0, 2, 1, 3]);
  const scores = matMul(mul(split(q), 1 / Math.sqrt(head)), transpose(split(k), [0, 1, 3, 2]));
  const pairs = mul(reshape(seen, [-1, 1]), reshape(seen, [1, -1])); // [1 + T, 1 + T]
  const masked = where(greater(pairs, 0.5), scores, -1000);
  const mixed = transpose(matMul(softmax(masked), split(v)), [0, 2, 1, 3]);
  return reshape(mixed, [1, length, width]);
}
