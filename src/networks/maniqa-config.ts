/** @file Sizes of a MANIQA, told by the shapes of its weights. */
import { WeightError } from '../tensor/errors.ts';
import type { SwinBlock } from './swin.ts';

/** Attention over channels, then Swin layers of fewer channels. */
export interface ManiqaStage {
  readonly width: number;
  readonly swin: readonly (SwinBlock & {
    readonly blocks: number;
    /** Tokens a side of a window. */
    readonly window: number;
  })[];
}

export interface ManiqaConfig {
  readonly vit: {
    readonly width: number;
    readonly heads: number;
    readonly hidden: number;
    /** Pixels a side of a patch. */
    readonly patch: number;
  };
  readonly stages: readonly [ManiqaStage, ManiqaStage];
  /** What the output of a Swin layer is multiplied by: .13 for PIPAL, .8 for KonIQ and KADID. */
  readonly scale: number;
}

/** What no shape tells. */
export interface ManiqaGiven {
  readonly scale: number;
  /** Heads of the ViT. @default one for every 64 channels */
  readonly heads?: number;
}

/**
 * Reads the sizes off the weights.
 *
 * @param label the file, for messages
 * @throws WeightError when they are not of a MANIQA
 */
export function maniqaConfig(
  shapes: ReadonlyMap<string, readonly number[]>,
  label: string,
  { scale, heads }: ManiqaGiven,
): ManiqaConfig {
  const shape = (key: string): readonly number[] => {
    const found = shapes.get(key);
    if (found) return found;
    throw new WeightError(
      `${label}: expected the weights of MANIQA, but "${key}" is missing. Give MANIQA_PIPAL-ae6d356b.pth.`,
    );
  };
  const count = (key: (i: number) => string): number => {
    let i = 0;
    while (shapes.has(key(i))) i++;
    return i;
  };
  const stage = (name: '1' | '2'): ManiqaStage => {
    const at = `swintransformer${name}.layers`;
    const layers = count((i) => `${at}.${i}.conv.weight`);
    return {
      width: shape(`conv${name}.weight`)[0]!,
      swin: Array.from({ length: layers }, (_, i) => {
        const first = `${at}.${i}.blocks.0`;
        const [rows, heads] = shape(`${first}.attn.relative_position_bias_table`) as number[];
        return {
          heads: heads!,
          hidden: shape(`${first}.mlp.fc1.weight`)[0]!,
          blocks: count((j) => `${at}.${i}.blocks.${j}.attn.qkv.weight`),
          window: (Math.round(Math.sqrt(rows!)) + 1) / 2,
        };
      }),
    };
  };
  const [width, , patch] = shape('vit.patch_embed.proj.weight') as number[];
  return {
    vit: {
      width: width!,
      heads: heads ?? width! / 64,
      hidden: shape('vit.blocks.0.mlp.fc1.weight')[0]!,
      patch: patch!,
    },
    stages: [stage('1'), stage('2')],
    scale,
  };
}
