/**
 * @file Parity of weights in other types and files: each variant of a model in the folder widens to the
 * plain file's values rounded to its type, and its UNet computes the plain one's eps within its precision.
 */
import { join } from 'node:path';
import type { Model } from '../../src/pipeline/model.ts';
import type { DType } from '../../src/tensor/dtype.ts';
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
  toFloat32,
} from '../../src/tensor/float16.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { currentName, withCurrentNames } from '../../src/weights/names.ts';
import { openWeights, type WeightSource } from '../../src/weights/source.ts';
import { arraysOf, type Folder, has, modelOf, type Section, vectorsOf } from './folder.ts';
import { compare, largest, row, type Row } from './row.ts';
import { predict, unetCalls } from './unet.ts';

/**
 * How far eps may move, in roundings of its largest value. Every weight of some sixty layers is rounded
 * once; the roundings are independent, so they add up like the root of the layers' number.
 */
const roundings = 8;

export const models: Section = {
  files: /^models\/[^/]+\/[^/]+\/.*(\.safetensors|\.bin|\.index\.json)$/,
  inputs: /./,
  async *rows(folder, file) {
    const found = /^(models\/[^/]+)\/(unet|vae|text_encoder)(?:-[\w-]+)?\/([^/]+)$/.exec(file);
    const [, model, part, name] = found ?? [];
    if (!model || !part || !name || /-\d+-of-\d+\./.test(name)) return;
    const stem = name.replace(/\..*/, '');
    const plain = `${model}/${part}/${stem}.safetensors`;
    if (file === plain || !has(folder, plain)) return;
    const source = withCurrentNames(await openWeights(join(folder.root, file)));
    try {
      yield* sameWeights(folder, file, plain, source);
      if (part === 'unet') yield* sameNoise(folder, file, model, source);
    } finally {
      await source.close();
    }
  },
};

async function* sameWeights(
  folder: Folder,
  file: string,
  plain: string,
  source: WeightSource,
): AsyncGenerator<Row> {
  const missing = new Set(source.entries.keys());
  for (const [key, exact] of arraysOf(folder, plain)) {
    const name = currentName(key);
    const info = source.entries.get(name);
    if (!exact.dtype.includes('float')) continue;
    if (!info) {
      yield row(file, name, Infinity, 0);
      continue;
    }
    const got = toFloat32(await source.read(name));
    // Old files store some matrices as 1x1 convolutions.
    const want = tensor('float32', got.shape, rounded(toFloat32(exact).data, info.dtype));
    yield compare(file, name, want, [got], 0);
    missing.delete(name);
  }
  for (const key of missing) yield row(file, key, Infinity, 0);
}

function rounded(data: Float32Array, dtype: DType): Float32Array {
  if (dtype === 'float16') return float16ToFloat32(float32ToFloat16(data));
  return dtype === 'bfloat16' ? bfloat16ToFloat32(float32ToBfloat16(data)) : data;
}

async function* sameNoise(
  folder: Folder,
  file: string,
  name: string,
  source: WeightSource,
): AsyncGenerator<Row> {
  const vectors = vectorsOf(name, 'unet');
  if (!has(folder, vectors)) return;
  const base = await modelOf(folder, name);
  const read = async (key: string): Promise<Tensor<'float32'>> =>
    toFloat32(await source.read(key.slice('unet.'.length)));
  const model: Model = { ...base, read };
  const unit = unitOf(source);
  for (const call of unetCalls(arraysOf(folder, vectors))) {
    const got = await predict(folder, model, call, { training: false, symbolic: false });
    const tolerance = folder.tolerance + roundings * unit * largest(call.eps);
    yield compare(file, call.key, call.eps, got, tolerance);
  }
}

/** The largest relative error of a rounding to the narrowest type in the file. */
function unitOf({ entries }: WeightSource): number {
  const types = new Set([...entries.values()].map(({ dtype }) => dtype));
  return types.has('bfloat16') ? 2 ** -8 : types.has('float16') ? 2 ** -11 : 0;
}
