/** @file Pictures as sequences of tokens, one a pixel, and back. */
import { reshape, reshapeLike, transpose } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import { channelsFirst, channelsLast } from '../graph/layout.ts';

/** `[N, C, H, W] -> [N, H·W, C]`. */
export function tokensOf(x: Value): Value {
  const [n, channels] = x.shape as [number, number];
  return reshape(channelsLast(x), [n, -1, channels]);
}

/** `[N, H·W, C] -> [N, C, H, W]`, the size of `like`. */
export function picture(tokens: Value, like: Value): Value {
  if (like.graph.target.device === 'cuda') {
    return channelsFirst(reshapeLike(tokens, channelsLast(like)));
  }
  return reshapeLike(transpose(tokens, [0, 2, 1]), like);
}
