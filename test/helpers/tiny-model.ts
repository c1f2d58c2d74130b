/** @file A model folder in diffusers' layout with a few weights, for tests of importing and storing. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { float32 } from '../../src/tensor/tensor.ts';
import type { Expected } from '../../src/weights/import-model.ts';
import { planned, writeSafetensors } from '../../src/weights/safetensors-writer.ts';

/** Shapes of the weights, which the configs have no say in. */
const shapes = {
  unet: { 'conv_in.weight': [3, 2], 'conv_in.bias': [3] },
  vae: { 'decoder.mid_block.attentions.0.to_q.weight': [2, 2], 'quant_conv.weight': [2, 2, 1, 1] },
  text_encoder: { 'text_model.final_layer_norm.weight': [4] },
} as const;

/** What networks of these weights would ask for. */
export const expected: Expected = ({ parts }) =>
  new Map([...parts.keys()].map((part) => [part, new Map(Object.entries(shapes[part]))]));

/** Files of the model other than weights, by path. */
const files: Readonly<Record<string, string>> = {
  'model_index.json': '{"_class_name":"StableDiffusionPipeline"}',
  'unet/config.json': '{"_class_name":"UNet2DConditionModel","block_out_channels":[3]}',
  'vae/config.json': '{"_class_name":"AutoencoderKL","scaling_factor":0.5}',
  'text_encoder/config.json': '{"architectures":["CLIPTextModel"],"hidden_size":4}',
  'scheduler/scheduler_config.json': '{"prediction_type":"epsilon"}',
  'tokenizer/vocab.json': '{}',
  'tokenizer/merges.txt': '#version: 0.2\n',
  'tokenizer/unknown.txt': 'is not copied',
  'README.md': '---\nlicense: openrail++\ntags:\n- x\n---\n# A model\n',
  'LICENSE.md': '\n# Some licence\n',
};

/** A model folder at `folder`: every weight is 1/3. */
export async function writeTinyModel(folder: string): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  for (const [part, weights] of Object.entries(shapes)) {
    const stem = part === 'text_encoder' ? 'model' : 'diffusion_pytorch_model';
    await writeThirds(join(folder, part, `${stem}.safetensors`), weights);
  }
}

/** A file of weights of these shapes, each value 1/3 or `value`. */
export async function writeThirds(
  path: string,
  weights: Readonly<Record<string, readonly number[]>>,
  value: number = 1 / 3,
): Promise<void> {
  const plans = Object.entries(weights).map(([key, shape]) => {
    const count = shape.reduce((a, b) => a * b, 1);
    return [key, planned(float32(shape, new Float32Array(count).fill(value)))] as const;
  });
  await writeSafetensors(path, new Map(plans));
}
