/**
 * @file The VAE over tiles as the official program runs it (osediff.md: "Tiling in the official code";
 * after the Tiled VAE of multidiffusion-upscaler): all tiles in one graph, their group norms sharing
 * statistics, and the attention of the mid block seeing one tile only.
 */
import {
  add,
  concat,
  div,
  mean,
  mul,
  reshape,
  reshapeLike,
  slice,
  sqrt,
  square,
  sub,
} from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import type { Scope } from '../graph/scope.ts';
import type { GroupNormOptions } from '../nn/norm.ts';
import { column } from '../nn/norm.ts';
import { decodeBody, encodeBody, postQuant, quant, type VaeConfig, vaeReduction } from './vae.ts';

export interface VaeTiling {
  /** Edge of a tile: pixels for the encoder, latents for the decoder. */
  readonly tile: number;
  /** Context around a tile. */
  readonly padding: number;
}

/** A tile: what is read, and which part of the result it gives. All bounds half-open. */
export interface VaeTile {
  readonly input: Box;
  readonly output: Box;
}

export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** The official settings: 1024 pixels with 32 around, 224 latents with 11 around. */
export const publishedEncoderTiling: VaeTiling = { tile: 1024, padding: 32 };
export const publishedDecoderTiling: VaeTiling = { tile: 224, padding: 11 };

/** Whether the official program tiles a picture or latents of this size at all. */
export function isTiled(height: number, width: number, { tile, padding }: VaeTiling): boolean {
  return Math.max(height, width) > tile + 2 * padding;
}

/** The tiles along one axis: inner bounds, and the same grown by the padding. */
function axisTiles(size: number, { tile, padding }: VaeTiling): { start: number; end: number }[] {
  const inner = size - 2 * padding;
  const count = Math.max(1, Math.ceil(inner / tile));
  const length = evenTile(Math.ceil(inner / count), tile);
  return Array.from({ length: count }, (_, i) => ({
    start: padding + i * length,
    end: Math.min(padding + (i + 1) * length, size),
  }));
}

/** The length rounded up to a multiple of 32, else 16, 8, 4 or 2, that is not above the limit. */
function evenTile(least: number, most: number): number {
  for (let divider = 32; divider >= 2; divider /= 2) {
    const rounded = Math.ceil(least / divider) * divider;
    if (rounded === least || rounded <= most) return rounded;
  }
  return least;
}

/** Cuts a picture or latents into tiles; `scale` takes input to output coordinates. */
export function vaeTiles(
  height: number,
  width: number,
  tiling: VaeTiling,
  scale: number,
): VaeTile[] {
  const { padding } = tiling;
  const grow = (size: number, { start, end }: { start: number; end: number }) => ({
    input: [Math.max(0, start - padding), Math.min(size, end + padding)] as const,
    output: [
      Math.floor((start > padding ? start : 0) * scale),
      Math.floor((end < size - padding ? end : size) * scale),
    ] as const,
  });
  return axisTiles(height, tiling).flatMap((row) => {
    const y = grow(height, row);
    return axisTiles(width, tiling).map((col) => {
      const x = grow(width, col);
      const box = (key: 'input' | 'output'): Box => ({
        left: x[key][0],
        right: x[key][1],
        top: y[key][0],
        bottom: y[key][1],
      });
      return { input: box('input'), output: box('output') };
    });
  });
}

/**
 * Moments of the posterior of a tiled picture.
 *
 * @param x `[N, 3, H, W]`, fixed size
 * @returns `[N, 2·latent, H/8, W/8]`
 */
export function encodeMomentsTiled(
  s: Scope,
  x: Value,
  config: VaeConfig,
  tiling: VaeTiling,
): Value {
  const scale = 1 / vaeReduction(config);
  const moments = overTiles(x, tiling, scale, config, (tile, c) => encodeBody(s, tile, c));
  return quant(s, moments, config);
}

/**
 * The picture of tiled latents.
 *
 * @param z `[N, latent, h, w]`, unscaled, fixed size
 * @returns `[N, 3, 8h, 8w]`
 */
export function decodeTiled(s: Scope, z: Value, config: VaeConfig, tiling: VaeTiling): Value {
  const latents = postQuant(s, z, config);
  return overTiles(latents, tiling, vaeReduction(config), config, (tile, c) =>
    decodeBody(s, tile, c),
  );
}

function overTiles(
  x: Value,
  tiling: VaeTiling,
  scale: number,
  config: VaeConfig,
  body: (tile: Value, config: VaeConfig) => Value,
): Value {
  const [height, width] = x.shape.slice(2) as [number, number];
  const tiles = vaeTiles(height, width, tiling, scale);
  const norms = new SharedNorms();
  const shared: VaeConfig = { ...config, style: { ...config.style, normalise: norms.normalise } };
  const results = tiles.map(({ input, output }) => {
    const y = body(crop(x, input), shared);
    const [left, top] = [
      output.left - Math.floor(input.left * scale),
      output.top - Math.floor(input.top * scale),
    ];
    return crop(y, {
      left,
      top,
      right: left + output.right - output.left,
      bottom: top + output.bottom - output.top,
    });
  });
  norms.share();
  const rows = new Map<number, Value[]>();
  tiles.forEach(({ output }, i) => {
    rows.set(output.top, [...(rows.get(output.top) ?? []), results[i]!]);
  });
  return concat(
    [...rows.values()].map((row) => concat(row, 3)),
    2,
  );
}

function crop(x: Value, { left, right, top, bottom }: Box): Value {
  return slice(slice(x, 2, top, bottom), 3, left, right);
}

/** Group norms whose statistics are the means of the tiles' own, weighted by area. */
class SharedNorms {
  readonly #uses = new Map<
    string,
    { grouped: Value; area: number; mean: Value; variance: Value }[]
  >();

  readonly normalise = (s: Scope, x: Value, { groups, epsilon }: GroupNormOptions): Value => {
    const { graph } = x;
    const channels = x.shape[1] as number;
    const grouped = reshape(x, [x.shape[0]!, groups, -1]);
    const uses = this.#uses.get(s.path) ?? [];
    const input = (kind: string): Value =>
      graph.input(`${s.path}/${kind}/${uses.length}`, 'float32', [x.shape[0]!, groups, 1]);
    const use = {
      grouped,
      area: (x.shape[2] as number) * (x.shape[3] as number),
      mean: input('mean'),
      variance: input('variance'),
    };
    this.#uses.set(s.path, [...uses, use]);
    const normal = div(sub(grouped, use.mean), sqrt(add(use.variance, epsilon)));
    const [w, b] = [s.weight('weight', [channels]), s.weight('bias', [channels])];
    return add(mul(reshapeLike(normal, x), column(w)), column(b));
  };

  /** Ties the statistics together, once every tile has been built. */
  share(): void {
    for (const uses of this.#uses.values()) {
      const total = uses.reduce((sum, { area }) => sum + area, 0);
      const own = uses.map(({ grouped, area }) => {
        const m = mean(grouped, [2]);
        return { m, v: mean(square(sub(grouped, m)), [2]), share: area / total };
      });
      const weighted = (pick: (o: (typeof own)[number]) => Value): Value =>
        own.map((o) => mul(pick(o), o.share)).reduce((a, b) => add(a, b));
      const [m, v] = [weighted((o) => o.m), weighted((o) => o.v)];
      for (const use of uses) {
        use.grouped.graph.link(use.mean, m);
        use.grouped.graph.link(use.variance, v);
      }
    }
  }
}
