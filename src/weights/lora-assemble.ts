/** @file Tensors of a LoRA file put together to layers, with the checks on what belongs together. */
import { WeightError } from '../tensor/errors.ts';
import { toFloat32 } from '../tensor/float16.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';
import type { Lora, LoraLayer } from './lora.ts';
import { parseLoraKey, type LoraPart } from './lora-keys.ts';
import { fewOf, quoted } from './quoted.ts';

/** A tensor of a LoRA file as it was found. */
export interface LoraTensor {
  readonly key: string;
  /** The network, where the file says so outside the key. */
  readonly part?: LoraPart;
  readonly tensor: Tensor;
}

/** The scale of a layer by its path with the part in front; undefined when the file does not say. */
export type LayerScale = (path: string, rank: number) => number | undefined;

interface Found {
  down?: Tensor<'float32'>;
  up?: Tensor<'float32'>;
  alpha?: number;
}

/**
 * Puts a LoRA together.
 *
 * @param label the file's name, for messages
 * @param scaleOf the scale by what stands beside the tensors; an `alpha` of a layer's own is next
 * @throws WeightError naming a key that is unknown, stands twice, lacks its counterpart, has a shape
 *   that fits no layer, or whose scale nothing gives
 */
export function assembleLora(
  label: string,
  tensors: readonly LoraTensor[],
  scaleOf: LayerScale,
): Pick<Lora, 'label' | 'layers' | 'replaced'> {
  const found = new Map<string, Found>();
  const replaced = new Map<string, Tensor<'float32'>>();
  for (const { key, part, tensor } of tensors) {
    const { path, kind } = parseLoraKey(key, label, part);
    const x = toFloat32(tensor);
    if (kind === 'weight' || kind === 'bias') {
      if (replaced.has(`${path}.${kind}`)) throw twice(label, key);
      replaced.set(`${path}.${kind}`, x);
      continue;
    }
    const layer = found.get(path) ?? {};
    found.set(path, layer);
    if (layer[kind] !== undefined) throw twice(label, key);
    if (kind === 'alpha') layer.alpha = scalar(x, `${label}: ${quoted(key)}`);
    else layer[kind] = x;
  }
  if (found.size === 0) {
    throw new WeightError(`${label}: expected a LoRA, got no key with lora_A and lora_B.`);
  }
  const layers = new Map<string, LoraLayer>();
  for (const [path, parts] of found) {
    layers.set(path, completeLayer(path, parts, label, scaleOf));
  }
  return { label, layers, replaced };
}

function completeLayer(
  path: string,
  { down, up, alpha }: Found,
  label: string,
  scaleOf: LayerScale,
): LoraLayer {
  const where = `${label}: ${quoted(path)}`;
  if (!down || !up) {
    const lacks = [...(down ? [] : ['A (down)']), ...(up ? [] : ['B (up)'])].join(' and ');
    throw new WeightError(`${where} lacks its LoRA weight ${lacks}.`);
  }
  const rank = down.shape[0] ?? 0;
  const isLinear = down.shape.length === 2 && up.shape.length === 2;
  const isConv =
    down.shape.length === 4 && up.shape.length === 4 && up.shape[2] === 1 && up.shape[3] === 1;
  if (rank < 1 || up.shape[1] !== rank || !(isLinear || isConv)) {
    throw new WeightError(
      `${where}: expected A [r, in] with B [out, r], or A [r, in, k, k] with B [out, r, 1, 1], got A [${down.shape.join(', ')}] with B [${up.shape.join(', ')}].`,
    );
  }
  const scale = scaleOf(path, rank) ?? (alpha === undefined ? undefined : alpha / rank);
  if (scale === undefined) {
    throw new WeightError(
      `${where}: the file holds no alpha, so its scale is not known. Give it with --lora-scale (alpha / rank: OSEDiff's own is 2).`,
    );
  }
  return { rank, scale, down, up };
}

/** Checks a list of modules that ought to have a layer; PEFT lets a name stand for all that end in it. */
export function checkListed(
  names: Iterable<string>,
  paths: readonly string[],
  label: string,
): void {
  const ends = new Set(
    paths.flatMap((path) => path.split('.').map((_, i, parts) => parts.slice(i).join('.'))),
  );
  const missing = [...new Set(names)].filter((name) => !ends.has(name));
  if (missing.length > 0) {
    throw new WeightError(
      `${label}: lists ${fewOf(missing.map(quoted))} but has no weights of it.`,
    );
  }
}

function scalar(x: Tensor<'float32'>, where: string): number {
  const [value] = x.data;
  if (elementCount(x.shape) !== 1 || value === undefined) {
    throw new WeightError(`${where}: expected one number, got [${x.shape.join(', ')}].`);
  }
  return value;
}

function twice(label: string, key: string): WeightError {
  return new WeightError(
    `${label}: ${quoted(key)} is the second one of its module. Two adapters on a module are not read.`,
  );
}
