/** @file What distances of two pictures' features share. */
import type { Value } from '../graph/graph.ts';
import { type Scope, scope } from '../graph/scope.ts';
import { ShapeError } from '../tensor/errors.ts';
import { type Runner, network, type NetworkWeights } from './network.ts';
import { type NetworkMeter, planesOf } from './network-measure.ts';
import type { Rgb } from './rgb.ts';

/** A distance as a meter runs it. */
export interface PairDistance {
  /** Values of pixels. */
  readonly range: 'signed' | 'unit';
  /** Pixels a side that the trunk needs. */
  readonly least: number;
  readonly weights: NetworkWeights;
  readonly build: (s: Scope, a: Value, b: Value) => { readonly distance: Value };
}

/** The distance of each result to its reference. */
export function pairMeter(
  { range, least, weights, build }: PairDistance,
  runner: Runner,
): NetworkMeter {
  const net = network(runner, weights, (graph, { a, b }) =>
    graph.output('distance', build(scope(graph, ''), a!, b!).distance),
  );
  return {
    close: () => net.release(),
    async add(result, reference) {
      requireSide(result, least);
      const feeds = { a: planesOf(result, range), b: planesOf(reference!, range) };
      return Number((await net.run(feeds))['distance']!.data[0]);
    },
  };
}

/** @throws ShapeError when a side is shorter than `least` pixels */
export function requireSide({ width, height }: Rgb, least: number): void {
  if (Math.min(width, height) >= least) return;
  throw new ShapeError(
    `expected at least ${least}x${least} pixels, got ${width}x${height}. Leave the measure out.`,
  );
}

/** Torchvision's key of a trunk's weight. */
export function featuresKey(key: string): string {
  return key.replace(/^trunk\./, 'features.');
}
