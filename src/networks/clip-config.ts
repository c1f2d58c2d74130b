/** @file Sizes of a CLIP with a ResNet (Radford 2021, RN50), told by the shapes of its weights. */
import { WeightError } from '../tensor/errors.ts';

export interface ClipConfig {
  readonly visual: {
    /** Channels after the stem; the blocks' last ones are 4, 8, 16 and 32 times as many. */
    readonly width: number;
    /** Blocks of each of the four stages. */
    readonly blocks: readonly number[];
  };
  readonly text: {
    readonly width: number;
    readonly layers: number;
    readonly vocabulary: number;
    /** Tokens that there are positions for. */
    readonly positions: number;
  };
  /** Width of what pictures and texts are compared in. */
  readonly embed: number;
}

/** Heads of attention are this wide everywhere in CLIP. */
export const clipHead = 64;

/**
 * Reads the sizes off the weights.
 *
 * @param shapes by the names of OpenAI's `RN50.pt`
 * @param label the file, for messages
 * @throws WeightError when they are not of a CLIP with a ResNet
 */
export function clipConfig(
  shapes: ReadonlyMap<string, readonly number[]>,
  label: string,
): ClipConfig {
  const shape = (key: string): readonly number[] => {
    const found = shapes.get(key);
    if (found) return found;
    throw new WeightError(
      `${label}: expected the weights of a CLIP with a ResNet, but "${key}" is missing. Give RN50.pt.`,
    );
  };
  const count = (key: (i: number) => string): number => {
    let i = 0;
    while (shapes.has(key(i))) i++;
    return i;
  };
  const [vocabulary, width] = shape('token_embedding.weight') as [number, number];
  return {
    visual: {
      width: shape('visual.conv3.weight')[0]!,
      blocks: [1, 2, 3, 4].map((stage) => count((i) => `visual.layer${stage}.${i}.conv1.weight`)),
    },
    text: {
      width,
      layers: count((i) => `transformer.resblocks.${i}.ln_1.weight`),
      vocabulary,
      positions: shape('positional_embedding')[0]!,
    },
    embed: shape('text_projection')[1]!,
  };
}
