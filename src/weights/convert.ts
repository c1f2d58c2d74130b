/** @file Weights written to one safetensors file in one float type, a tensor at a time. */
import { WeightError } from '../tensor/errors.ts';
import { float32ToFloat16, toFloat32 } from '../tensor/float16.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Precision } from './manifest.ts';
import { quoted } from './quoted.ts';
import { type Planned, writeSafetensors } from './safetensors-writer.ts';
import type { WeightSource } from './source.ts';

/** How the writing goes. */
export interface ConvertOptions {
  /** Called with the elements of each tensor when it has been converted. */
  readonly onTensor?: ((elements: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes the tensors `keys` of a source.
 *
 * @throws WeightError naming a weight too large for float16
 * @throws PathError when the file cannot be written
 * @throws the signal's reason when it is aborted; nothing is left of the file then
 */
export async function convertWeights(
  path: string,
  source: WeightSource,
  keys: Iterable<string>,
  precision: Precision,
  { onTensor, signal }: ConvertOptions = {},
): Promise<void> {
  const dtype = precision === 'fp16' ? 'float16' : 'float32';
  const plans = new Map<string, Planned>();
  for (const key of keys) {
    const read = async (): Promise<Tensor> => {
      signal?.throwIfAborted();
      const x = await source.read(key);
      onTensor?.(x.data.length);
      return dtype === 'float32' ? toFloat32(x) : toFloat16(x, `${source.label}: ${quoted(key)}`);
    };
    plans.set(key, { dtype, shape: source.entries.get(key)!.shape, read });
  }
  await writeSafetensors(path, plans, { format: 'pt' });
}

/** float16 ends at 65504: a weight beyond it would become infinite without a word. */
function toFloat16(x: Tensor, where: string): Tensor<'float16'> {
  if (x.dtype === 'float16') return x as Tensor<'float16'>;
  const { data, shape } = toFloat32(x);
  const bits = float32ToFloat16(data);
  const overflow = bits.findIndex((b, i) => (b & 0x7fff) === 0x7c00 && Number.isFinite(data[i]!));
  if (overflow >= 0) {
    throw new WeightError(
      `${where}: ${data[overflow]} does not fit float16. Import with --precision fp32.`,
    );
  }
  return { dtype: 'float16', shape, data: bits };
}
