/**
 * @file A perceptual distance that needs no trained weights: bands of detail and their local energy.
 *
 * Meant for those who have no VGG16. LPIPS (vgg-lpips.ts) is the paper's loss.
 */
import {
  abs,
  add,
  averagePool,
  conv2d,
  log,
  mean,
  mul,
  pad,
  square,
  sub,
} from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import { ShapeError } from '../tensor/errors.ts';
import { float32, zeros } from '../tensor/tensor.ts';

/** Octaves of detail that are looked at, from single pixels on. */
const octaves = 4;
/** Amplitude below which detail does not count: about one and a half levels of 255 in [-1, 1]. */
const threshold = 0.012;
/** Share of the energies beside the bands themselves. */
const energyShare = 0.1;

/** Along and across an edge: derivatives of a Gaussian, to first and second order. */
const smooth = [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16];
const slope = [-1 / 8, -2 / 8, 0, 2 / 8, 1 / 8];
const bend = [-1 / 4, 0, 2 / 4, 0, -1 / 4];

/**
 * The distance of two pictures.
 *
 * Each octave of a pyramid, in luma and two colour differences, goes through six filters: first and
 * second derivatives across, down and diagonal. Two things are compared, each in absolute value and
 * averaged: the responses themselves, which places edges where they belong, and the logarithm of their
 * energy in a neighbourhood, which asks for as much detail of each kind as there should be without
 * asking for the same pixels. A regression to the mean, which blurs, has far too little energy.
 *
 * @param a picture `[N, 3, H, W]`, RGB in [-1, 1], at least 40 pixels a side
 * @param b the other
 * @returns `[N, 1, 1, 1]`
 * @throws ShapeError for smaller pictures
 */
export function bandDistance(a: Value, b: Value): Value {
  const [height, width] = a.shape.slice(2);
  if (Math.min(height as number, width as number) < 5 << (octaves - 1)) {
    throw new ShapeError(
      `band statistics: expected at least ${5 << (octaves - 1)} pixels a side, got ${width}x${height}.`,
    );
  }
  let [x, y] = [opponentColors(a), opponentColors(b)];
  const parts: Value[] = [];
  for (let octave = 0; octave < octaves; octave++) {
    if (octave > 0) [x, y] = [halve(x), halve(y)];
    const [bx, by] = [bands(x), bands(y)];
    parts.push(apart(bx, by), mul(apart(logEnergy(bx), logEnergy(by)), energyShare));
  }
  return parts.reduce((sum, part) => add(sum, part));
}

function apart(x: Value, y: Value): Value {
  return mean(abs(sub(x, y)), [1, 2, 3]);
}

/** Luma and two differences of colour, which the eye sees less sharply. */
function opponentColors(x: Value): Value {
  const rows = [0.299, 0.587, 0.114, 0.25, 0.25, -0.5, 0.5, -0.5, 0];
  return conv2d(x, x.graph.constant(float32([3, 3, 1, 1], rows)));
}

function halve(x: Value): Value {
  return averagePool(x, { kernel_shape: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] });
}

/** Six responses for each of three channels, `[N, 18, H, W]`. */
function bands(x: Value): Value {
  const kernels = [
    outer(smooth, slope),
    outer(slope, smooth),
    outer(smooth, bend),
    outer(bend, smooth),
    outer(slope, slope),
    outer(bend, bend),
  ];
  const all = zeros('float32', [18, 1, 5, 5]);
  for (let c = 0; c < 3; c++) {
    kernels.forEach((kernel, k) => all.data.set(kernel, (6 * c + k) * 25));
  }
  const around = pad(x, [0, 0, 2, 2], [0, 0, 2, 2], 'reflect');
  return conv2d(around, x.graph.constant(all), undefined, { group: 3 });
}

function outer(down: readonly number[], across: readonly number[]): number[] {
  return down.flatMap((d) => across.map((a) => d * a));
}

/** ln(local energy + threshold²), over windows of 8 pixels, every 4. */
function logEnergy(x: Value): Value {
  const energy = averagePool(square(x), {
    kernel_shape: [8, 8],
    strides: [4, 4],
    pads: [2, 2, 2, 2],
  });
  return log(add(energy, threshold * threshold));
}
