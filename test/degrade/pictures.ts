/** @file Planes for tests. */
import type { Planes } from '../../src/degrade/planes.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { random } from '../helpers/random.ts';

/** Planes of independent uniform values. */
export function noisePlanes(seed: number, channels: number, height: number, width: number): Planes {
  const next = random(seed);
  const data = Float32Array.from({ length: channels * height * width }, next);
  return tensor('float32', [channels, height, width], data);
}

/** Planes whose value at (channel, row, column) is given. */
export function planesOf(
  channels: number,
  height: number,
  width: number,
  value: (channel: number, y: number, x: number) => number,
): Planes {
  const data = new Float32Array(channels * height * width);
  for (let i = 0; i < data.length; i++) {
    const row = Math.floor(i / width);
    data[i] = value(Math.floor(row / height), row % height, i % width);
  }
  return tensor('float32', [channels, height, width], data);
}

/** Three smooth planes with edges and little texture, a little like a photograph. */
export function scene(height: number, width: number): Planes {
  return planesOf(3, height, width, (c, y, x) => {
    const wave = 0.2 * Math.sin(x / 7 + c) * Math.cos(y / 11 - c);
    const edge = x + 2 * y > width ? 0.3 : 0;
    return 0.35 + wave + edge + 0.02 * Math.sin(2.3 * x + 1.7 * y);
  });
}
