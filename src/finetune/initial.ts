/** @file First values of parameters, and those of a LoRA to and from its file's form. */
import type { ReadWeight } from '../graph/bind.ts';
import type { Value } from '../graph/graph.ts';
import { fillNormal } from '../tensor/normal.ts';
import { Random } from '../tensor/random.ts';
import { elementCount, type Tensor, zeros } from '../tensor/tensor.ts';
import type { Lora, LoraLayer } from '../weights/lora.ts';
import { adapterName, type Ranks } from './lora-modules.ts';

/** Values by graph input. */
export type Parameters = Map<string, Tensor<'float32'>>;

/**
 * Values to begin with. A LoRA changes nothing at first: A is normal with deviation 1/rank, as PEFT's
 * "gaussian" has it, and B is zero. What is trained as a whole begins as the base has it, the
 * regularizer's weights as the prior's. A discriminator begins as PatchGAN does.
 *
 * @param read the base's weights, by `unet.`, `vae.` and `prior.`
 * @param prior where the regularizer's weights are read, if they are all trained: `unet` or `prior`
 */
export async function initialParameters(
  inputs: readonly Value[],
  seed: number,
  read: ReadWeight,
  prior: 'unet' | 'prior' = 'unet',
): Promise<Parameters> {
  const values: Parameters = new Map();
  for (const [i, { name, shape }] of inputs.entries()) {
    const sizes = shape as readonly number[];
    const random = new Random([seed, i]);
    if (name.includes('.lora_A.')) values.set(name, normal(sizes, 1 / sizes[0]!, random));
    else if (name.includes('.lora_B.')) values.set(name, zeros('float32', sizes));
    else if (name.startsWith('discriminator.')) values.set(name, judge(name, sizes, random));
    else values.set(name, copy(await read(name.replace(/^reg\./, `${prior}.`))));
  }
  return values;
}

function normal(shape: readonly number[], deviation: number, random: Random): Tensor<'float32'> {
  const data = new Float32Array(elementCount(shape));
  fillNormal(random, data);
  return { dtype: 'float32', shape, data: data.map((value) => value * deviation) };
}

function judge(name: string, shape: readonly number[], random: Random): Tensor<'float32'> {
  if (name.endsWith('.bias')) return zeros('float32', shape);
  if (shape.length > 1) return normal(shape, 0.02, random);
  const scale = zeros('float32', shape);
  scale.data.fill(1);
  return scale;
}

/** The reader may hand out what it keeps; training changes values in place. */
function copy(x: Tensor<'float32'>): Tensor<'float32'> {
  return { ...x, data: x.data.slice() };
}

/** The graph's name of a module's A or B. */
function loraInput(path: string, factor: 'A' | 'B'): string {
  return `${path}.lora_${factor}.${adapterName(path)}.weight`;
}

/** A LoRA's values as parameters of the generator, to go on training it. */
export function parametersOfLora({ layers, replaced }: Lora): Parameters {
  const values: Parameters = new Map();
  for (const [path, { down, up }] of layers) {
    values.set(loraInput(path, 'A'), copy(down));
    values.set(loraInput(path, 'B'), copy(up));
  }
  for (const [key, weight] of replaced) values.set(key, copy(weight));
  return values;
}

/** The modules of a LoRA, with its ranks and scales. */
export function ranksOfLora({ layers }: Lora): Ranks {
  return new Map([...layers].map(([path, { rank, scale }]) => [path, { rank, scale }]));
}

/** The generator's parameters as a LoRA, to be written; it shares their memory. */
export function loraOfParameters(
  values: ReadonlyMap<string, Tensor<'float32'>>,
  ranks: Ranks,
  label: string,
): Lora {
  const layers = new Map<string, LoraLayer>();
  for (const [path, { rank, scale }] of ranks) {
    const [down, up] = [values.get(loraInput(path, 'A')), values.get(loraInput(path, 'B'))];
    if (down && up) layers.set(path, { rank, scale, down, up });
  }
  const replaced = new Map(
    [...values].filter(([name]) => /^(unet|vae)\./.test(name) && !/\.lora_[AB]\./.test(name)),
  );
  return { label, layers, replaced, metadata: {} };
}
