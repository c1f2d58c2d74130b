/** @file Which modules get a LoRA, and what it is called: those of the official program by default. */
import type { Adapter, Adapters } from '../graph/scope.ts';
import type { Required } from '../networks/required.ts';

/** The LoRA of one module. */
export interface Rank {
  readonly rank: number;
  /** alpha / rank. */
  readonly scale: number;
}

/** Ranks by module: `unet.mid_block.resnets.0.conv1`, `vae.encoder.conv_in`. */
export type Ranks = ReadonlyMap<string, Rank>;

const unetNames = [
  'to_k',
  'to_q',
  'to_v',
  'to_out.0',
  'conv',
  'conv1',
  'conv2',
  'conv_in',
  'conv_shortcut',
  'conv_out',
  'proj_in',
  'proj_out',
  'ff.net.0.proj',
  'ff.net.2',
];

const vaeNames = [
  'conv1',
  'conv2',
  'conv_in',
  'conv_shortcut',
  'conv',
  'conv_out',
  'to_k',
  'to_q',
  'to_v',
  'to_out.0',
];

/** Modules of the UNet that have a LoRA in the official program. */
export function unetModules(required: Required): string[] {
  return modules(required, unetNames).map((path) => `unet.${path}`);
}

/** Modules of the VAE's encoder, with quant_conv. The official program trains no decoder. */
export function vaeEncoderModules(required: Required): string[] {
  const all = modules(required, vaeNames).filter((path) => path.startsWith('encoder.'));
  return [...all, ...(required.has('quant_conv.weight') ? ['quant_conv'] : [])].map(
    (path) => `vae.${path}`,
  );
}

/** The same of the decoder, for the paper's Table 6. */
export function vaeDecoderModules(required: Required): string[] {
  const all = modules(required, vaeNames).filter((path) => path.startsWith('decoder.'));
  return [...all, ...(required.has('post_quant_conv.weight') ? ['post_quant_conv'] : [])].map(
    (path) => `vae.${path}`,
  );
}

function modules(required: Required, names: readonly string[]): string[] {
  return [...required.keys()]
    .filter((key) => key.endsWith('.weight'))
    .map((key) => key.slice(0, -'.weight'.length))
    .filter((path) => names.some((name) => path === name || path.endsWith(`.${name}`)));
}

/**
 * The adapter that a module belongs to in the official program: the encoder's with everything on the
 * way down, the decoder's on the way up, and others, which is the UNet's middle.
 */
export function adapterName(path: string): string {
  if (path.startsWith('vae.')) {
    const decodes = /^vae\.(decoder|post_quant_conv)\b/.test(path);
    return decodes ? 'default_decoder' : 'default_encoder';
  }
  if (/\b(down_blocks|conv_in)\b/.test(path)) return 'default_encoder';
  return /\b(up_blocks|conv_out)\b/.test(path) ? 'default_decoder' : 'default_others';
}

/**
 * The adapters of these modules.
 *
 * @param prefix what stands for `unet` in the scopes of a network that has another name there
 */
export function adaptersOf(ranks: Ranks, prefix = 'unet'): Adapters {
  return {
    on(path): readonly Adapter[] {
      const module = path.startsWith(`${prefix}.`) ? `unet${path.slice(prefix.length)}` : path;
      const rank = ranks.get(module);
      return rank ? [{ name: adapterName(module), ...rank }] : [];
    },
  };
}

/** One rank for all of these modules. @param alpha PEFT's default is 8 */
export function ranksFor(modulePaths: readonly string[], rank: number, alpha = 8): Ranks {
  return new Map(modulePaths.map((path) => [path, { rank, scale: alpha / rank }]));
}
