/** @file Sizes of a RAM tagger (Recognize Anything, Zhang 2023), told by the shapes of its weights. */
import { WeightError } from '../tensor/errors.ts';

/** Shapes by key. */
type Shapes = ReadonlyMap<string, readonly number[]>;

/** One resolution of the Swin. */
export interface TaggerStage {
  readonly blocks: number;
  readonly heads: number;
  /** Tokens a side of a window. */
  readonly window: number;
  /** Hidden width of the blocks' MLP. */
  readonly hidden: number;
}

export interface TaggerConfig {
  /** Pixels a side of the picture that the network sees. */
  readonly imageSize: number;
  readonly patch: number;
  /** Channels of the first stage; each stage after it doubles them. */
  readonly embed: number;
  readonly stages: readonly TaggerStage[];
  /** Width of a token as the head sees it. */
  readonly memory: number;
  readonly tags: number;
  /** Width of the vector that stands for a tag. */
  readonly labelWidth: number;
  readonly head: {
    readonly layers: number;
    readonly hidden: number;
    readonly intermediate: number;
    readonly heads: number;
  };
}

/** Heads of the tagging head in the published model: no shape tells them. */
const publishedHeads = 4;

/**
 * Reads the sizes off the weights.
 *
 * @param shapes of `ram_swin_large_14m.pth` or a file like it, by today's names
 * @param label the file, for messages
 * @param given what shapes do not tell, where it is known; by default as in the published model
 * @throws WeightError when they are not of a RAM tagger
 */
export function taggerConfig(
  shapes: Shapes,
  label: string,
  given: { readonly imageSize?: number; readonly heads?: number } = {},
): TaggerConfig {
  const shape = (key: string): readonly number[] => {
    const found = shapes.get(key);
    if (found) return found;
    throw new WeightError(
      `${label}: expected the weights of a RAM tagger on Swin, but "${key}" is missing. Give ram_swin_large_14m.pth.`,
    );
  };
  const [embed, , patch] = shape('visual_encoder.patch_embed.proj.weight') as number[];
  const stages: TaggerStage[] = [];
  while (shapes.has(`visual_encoder.layers.${stages.length}.blocks.0.attn.qkv.weight`)) {
    stages.push(stage(`visual_encoder.layers.${stages.length}`, shapes, shape));
  }
  if (stages.length === 0) shape('visual_encoder.layers.0.blocks.0.attn.qkv.weight');
  const [tags, labelWidth] = shape('label_embed') as [number, number];
  const layer = (i: number): string => `tagging_head.encoder.layer.${i}`;
  const [hidden, memory] = shape(`${layer(0)}.crossattention.self.key.weight`) as [number, number];
  return {
    imageSize: given.imageSize ?? patch! * firstSide(shapes, stages),
    patch: patch!,
    embed: embed!,
    stages,
    memory,
    tags,
    labelWidth,
    head: {
      layers: countFrom((i) => shapes.has(`${layer(i)}.crossattention.self.key.weight`)),
      hidden,
      intermediate: shape(`${layer(0)}.intermediate.dense.weight`)[0]!,
      heads: given.heads ?? publishedHeads,
    },
  };
}

function stage(
  path: string,
  shapes: Shapes,
  shape: (key: string) => readonly number[],
): TaggerStage {
  const [rows, heads] = shape(`${path}.blocks.0.attn.relative_position_bias_table`) as number[];
  return {
    blocks: countFrom((i) => shapes.has(`${path}.blocks.${i}.attn.qkv.weight`)),
    heads: heads!,
    window: (Math.round(Math.sqrt(rows!)) + 1) / 2,
    hidden: shape(`${path}.blocks.0.mlp.fc1.weight`)[0]!,
  };
}

/**
 * Tokens a side of the first stage. The masks of shifted blocks tell, one for each window; files
 * without them have one window as their last stage, and twice the side in every stage before it.
 */
function firstSide(shapes: Shapes, stages: readonly TaggerStage[]): number {
  const windows = shapes.get('visual_encoder.layers.0.blocks.1.attn_mask')?.[0];
  if (windows !== undefined) return stages[0]!.window * Math.round(Math.sqrt(windows));
  return stages.at(-1)!.window * 2 ** (stages.length - 1);
}

/** How many whole numbers from 0 on fit. */
function countFrom(fits: (i: number) => boolean): number {
  let i = 0;
  while (fits(i)) i++;
  return i;
}
