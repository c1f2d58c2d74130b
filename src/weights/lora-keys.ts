/** @file How LoRA files spell their keys: PEFT, diffusers, and the osediff.pkl of cswry/OSEDiff. */
import { WeightError } from '../tensor/errors.ts';
import { quoted } from './quoted.ts';

/** The networks that a LoRA may be on. */
export type LoraPart = 'unet' | 'vae';

/** What a key means. `path` begins with the part: `unet.mid_block.resnets.0.conv1`. */
export interface LoraKey {
  readonly path: string;
  /** `down` is A, `up` is B; `weight` and `bias` replace the base's own; `alpha` is a scalar. */
  readonly kind: 'down' | 'up' | 'weight' | 'bias' | 'alpha';
}

/** A or B of a module, with the adapter's name between in some files. */
const factor = /^(.+)\.(lora_A|lora_B|lora\.down|lora\.up|lora_down|lora_up)(?:\.[^.]+)?\.weight$/;
/** Names of modules that stand at the top of one network and not of the other. */
const tops: readonly (readonly [LoraPart, RegExp])[] = [
  ['vae', /^(encoder|decoder|quant_conv|post_quant_conv)\b/],
  [
    'unet',
    /^(conv_in|conv_norm_out|conv_out|down_blocks|mid_block|up_blocks|time_embedding|add_embedding|class_embedding)\b/,
  ],
];

/**
 * Reads a key. Names of adapters (`default_encoder`), PEFT's `base_model.model.`, `base_layer` and
 * `modules_to_save` are left out; without `unet.` or `vae.` in front, the first module tells.
 *
 * @param part the network, where the file says so elsewhere
 * @param label the file, for messages
 * @throws WeightError naming a key that is none of a LoRA on a UNet or VAE
 */
export function parseLoraKey(key: string, label: string, part?: LoraPart): LoraKey {
  const unknown = (): WeightError =>
    new WeightError(
      `${label}: does not know the key ${quoted(key)}. LoRA of the UNet and VAE by PEFT or diffusers is read.`,
    );
  const inModel = key
    .replace(/^base_model\.model\./, '')
    .replace(/\.base_layer(?=\.(weight|bias)$)/, '')
    .replace(/\.modules_to_save(\.[^.]+)?(?=\.(weight|bias)$)/, '');
  const named = /^(unet|vae)\./.exec(inModel);
  const module = named ? inModel.slice(named[0].length) : inModel;
  const owner = (named?.[1] as LoraPart | undefined) ?? part ?? partOf(module);
  if (!owner) throw unknown();
  const [, path, which] = factor.exec(module) ?? [];
  if (path && which) {
    const down = which.endsWith('A') || which.endsWith('down');
    return { path: `${owner}.${path}`, kind: down ? 'down' : 'up' };
  }
  const [, of, kind] = /^(.+)\.(weight|bias|alpha)$/.exec(module) ?? [];
  if (!of || !kind || /lora/i.test(of)) throw unknown();
  return { path: `${owner}.${of}`, kind: kind as 'weight' | 'bias' | 'alpha' };
}

function partOf(module: string): LoraPart | undefined {
  return tops.find(([, names]) => names.test(module))?.[0];
}
