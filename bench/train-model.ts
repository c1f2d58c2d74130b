/** @file Models and batches for bench/train.ts: Stable Diffusion's shape in three sizes, random weights. */
import type { Algorithm1Config } from '../src/finetune/algorithm1-config.ts';
import { ranksFor, unetModules, vaeEncoderModules } from '../src/finetune/lora-modules.ts';
import type { Json } from '../src/networks/config.ts';
import { requiredByUnet, requiredByVae } from '../src/networks/required.ts';
import { alphasCumprod } from '../src/networks/schedule.ts';
import { unetConfig } from '../src/networks/unet-config.ts';
import { vaeConfig } from '../src/networks/vae.ts';
import type { VggWidths } from '../src/networks/vgg-lpips.ts';
import { fillNormal } from '../src/tensor/normal.ts';
import { Random } from '../src/tensor/random.ts';
import { elementCount, type Tensor, tensor } from '../src/tensor/tensor.ts';

type Float = Tensor<'float32'>;

/** What is measured. */
export interface BenchSize {
  readonly name: string;
  readonly unet: readonly number[];
  readonly heads: readonly number[];
  readonly cross: number;
  readonly groups: number;
  readonly vae: readonly number[];
  readonly vgg: VggWidths;
  /** Edge of the pictures. */
  readonly pixels: number;
  readonly batch: number;
}

/** `full` is SD 2.1-base. */
export const benchSizes: readonly BenchSize[] = [
  {
    name: 'small',
    unet: [32, 64, 96, 96],
    heads: [2, 4, 6, 6],
    cross: 64,
    groups: 8,
    vae: [32, 64, 64, 64],
    vgg: [8, 16, 32, 64, 64],
    pixels: 128,
    batch: 2,
  },
  {
    name: 'middle',
    unet: [128, 256, 512, 512],
    heads: [2, 4, 8, 8],
    cross: 512,
    groups: 32,
    vae: [64, 128, 256, 256],
    vgg: [64, 128, 256, 512, 512],
    pixels: 256,
    batch: 1,
  },
  {
    name: 'full',
    unet: [320, 640, 1280, 1280],
    heads: [5, 10, 20, 20],
    cross: 1024,
    groups: 32,
    vae: [128, 256, 512, 512],
    vgg: [64, 128, 256, 512, 512],
    pixels: 256,
    batch: 1,
  },
];

const rank = 4;
export const guidance = 7.5;
const tokens = 77;
const latentChannels = 4;

/** Alpha / rank: PEFT's default alpha is 8. */
export const loraScale: number = 8 / rank;

/** `config.json` of both parts, as diffusers has them. */
export function configJsons(size: BenchSize): { unet: Json; vae: Json } {
  const crossDown = 'CrossAttnDownBlock2D';
  const crossUp = 'CrossAttnUpBlock2D';
  return {
    unet: {
      _class_name: 'UNet2DConditionModel',
      in_channels: latentChannels,
      out_channels: latentChannels,
      block_out_channels: size.unet,
      down_block_types: [crossDown, crossDown, crossDown, 'DownBlock2D'],
      up_block_types: ['UpBlock2D', crossUp, crossUp, crossUp],
      layers_per_block: 2,
      attention_head_dim: size.heads,
      cross_attention_dim: size.cross,
      norm_num_groups: size.groups,
      use_linear_projection: true,
    },
    vae: {
      _class_name: 'AutoencoderKL',
      in_channels: 3,
      out_channels: 3,
      latent_channels: latentChannels,
      block_out_channels: size.vae,
      down_block_types: size.vae.map(() => 'DownEncoderBlock2D'),
      up_block_types: size.vae.map(() => 'UpDecoderBlock2D'),
      layers_per_block: 2,
      norm_num_groups: size.groups,
      scaling_factor: 0.18215,
    },
  };
}

/** Algorithm 1 as the paper has it, at this size. */
export function benchConfig(
  size: BenchSize,
  recompute?: NonNullable<Algorithm1Config['recompute']>,
): Algorithm1Config {
  const json = configJsons(size);
  const unet = unetConfig(json.unet, 'unet/config.json');
  const vae = vaeConfig(json.vae, 'vae/config.json');
  const ofUnet = unetModules(requiredByUnet(unet));
  return {
    generator: {
      unet,
      vae,
      schedule: {
        alphasCumprod: alphasCumprod(1000, 0.00085, 0.012, 'scaled_linear'),
        clip: undefined,
      },
      timestep: 999,
      spaceToDepth: 1,
      skip: false,
    },
    batch: size.batch,
    height: size.pixels,
    width: size.pixels,
    tokens,
    factors: { l2: 1, perceptual: 2, vsd: 1, gan: 0 },
    perceptual: { kind: 'lpips', widths: size.vgg },
    vsdDomain: 'latent',
    guidance,
    discriminator: { widths: [64], groups: 1 },
    ranks: ranksFor([...ofUnet, ...vaeEncoderModules(requiredByVae(vae))], rank),
    regularizer: ranksFor(ofUnet, rank),
    trained: (key) => key.startsWith('unet.conv_in.'),
    samplePosterior: false,
    ...(recompute ? { recompute } : {}),
  };
}

/** Numbers drawn by a name. */
export function draw(name: string, shape: readonly number[], deviation: number): Float {
  const codes = Array.from({ length: name.length }, (_, i) => name.charCodeAt(i));
  const data = new Float32Array(elementCount(shape));
  fillNormal(new Random(codes), data);
  return tensor(
    'float32',
    shape,
    data.map((value) => value * deviation),
  );
}

/** A weight about as large as training leaves it, by its key. LPIPS' linear layers are positive. */
export function randomWeight(key: string, shape: readonly number[]): Float {
  if (shape.length === 1) {
    const values = draw(key, shape, 0.05);
    return key.endsWith('.weight') ? { ...values, data: values.data.map((v) => v + 1) } : values;
  }
  const values = draw(key, shape, 1 / Math.sqrt(elementCount(shape.slice(1))));
  return key.startsWith('lin') ? { ...values, data: values.data.map(Math.abs) } : values;
}

/** A batch under the names that the golden vectors use for one. */
export function batchArrays({ batch, pixels, cross, vae }: BenchSize): Map<string, Tensor> {
  const edge = pixels / 2 ** (vae.length - 1);
  const latent = [batch, latentChannels, edge, edge];
  const picture = [batch, 3, pixels, pixels];
  const timesteps = (first: number): Tensor =>
    tensor(
      'int64',
      [batch],
      BigInt64Array.from({ length: batch }, (_, i) => BigInt(first + 100 * i)),
    );
  return new Map<string, Tensor>([
    ['x_l', draw('x_l', picture, 0.3)],
    ['x_gt', draw('x_gt', picture, 0.3)],
    ['text', draw('text', [batch, tokens, cross], 1)],
    ['negative', draw('negative', [batch, tokens, cross], 1)],
    ['vsd_t', timesteps(300)],
    ['vsd_noise', draw('vsd_noise', latent, 1)],
    ['diff_t', timesteps(500)],
    ['diff_noise', draw('diff_noise', latent, 1)],
  ]);
}
