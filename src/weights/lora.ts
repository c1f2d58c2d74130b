/** @file Low-rank adaptation (Hu 2021): one form for every file, its check against a base, and merging. */
import { WeightError } from '../tensor/errors.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';
import { fewOf, quoted } from './quoted.ts';

/** The LoRA of one module: `W + scale * up . down`. */
export interface LoraLayer {
  readonly rank: number;
  /** alpha / rank, or what the caller gave. */
  readonly scale: number;
  /** A: `[rank, in]`, of a convolution `[rank, in, k, k]`. */
  readonly down: Tensor<'float32'>;
  /** B: `[out, rank]`, of a convolution `[out, rank, 1, 1]`. */
  readonly up: Tensor<'float32'>;
}

/** A LoRA of a whole model. */
export interface Lora {
  /** The file's name, for messages. */
  readonly label: string;
  /** By module: `unet.<module path>` or `vae.<module path>`. */
  readonly layers: ReadonlyMap<string, LoraLayer>;
  /** Weights trained as a whole, which replace the base's: `unet.conv_in.weight` and `.bias`. */
  readonly replaced: ReadonlyMap<string, Tensor<'float32'>>;
  /** What else the file says of itself; `osediff.prompt` is the kind of prompt it was trained with. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Checks that a LoRA fits its base.
 *
 * @param baseShapes shape of every weight of the base, by `<part>.<key>`
 * @throws WeightError naming modules that the base lacks or whose shape differs
 */
export function checkLora(lora: Lora, baseShapes: ReadonlyMap<string, readonly number[]>): void {
  const unfit: string[] = [];
  for (const [path, { down, up }] of lora.layers) {
    const base = baseShapes.get(`${path}.weight`);
    const made = productShape(down.shape, up.shape);
    if (base?.join() !== made.join()) unfit.push(mismatch(path, base, made));
  }
  for (const [key, { shape }] of lora.replaced) {
    const base = baseShapes.get(key);
    if (base?.join() !== shape.join()) unfit.push(mismatch(key, base, shape));
  }
  if (unfit.length > 0) {
    throw new WeightError(
      `${lora.label}: does not fit the base model: ${fewOf(unfit)}. Check that it was trained on this base.`,
    );
  }
}

function mismatch(
  name: string,
  base: readonly number[] | undefined,
  got: readonly number[],
): string {
  const expected = base ? `the base has [${base.join(', ')}]` : 'the base has no such weight';
  return `${quoted(name)} is for [${got.join(', ')}], ${expected}`;
}

/** Shape of the weight that `up . down` is added to. */
function productShape(down: readonly number[], up: readonly number[]): readonly number[] {
  return [up[0]!, ...down.slice(1)];
}

/**
 * One LoRA of several that touch different modules, such as PEFT's folders for UNet and VAE.
 *
 * @throws WeightError naming a module or weight that two of them hold
 */
export function joinLoras(loras: readonly Lora[]): Lora {
  const layers = new Map<string, LoraLayer>();
  const replaced = new Map<string, Tensor<'float32'>>();
  const label = loras.map((lora) => lora.label).join(' + ');
  for (const lora of loras) {
    for (const [path, layer] of lora.layers) addOnce(layers, path, layer, label);
    for (const [key, weight] of lora.replaced) addOnce(replaced, key, weight, label);
  }
  const metadata = Object.assign({}, ...loras.map((lora) => lora.metadata)) as Lora['metadata'];
  return { label, layers, replaced, metadata };
}

function addOnce<T>(map: Map<string, T>, key: string, value: T, label: string): void {
  if (map.has(key)) throw new WeightError(`${label}: ${quoted(key)} is in more than one of them.`);
  map.set(key, value);
}

/**
 * A base weight with the LoRA in it: `W + strength * scale * (B . A)`, the product in float32 as
 * PEFT's `merge_and_unload` computes it; a convolution's B is 1 x 1, so the product is a matrix
 * product over `[out, rank] . [rank, in * k * k]`.
 *
 * @param weight `[out, in]` or `[out, in, k, k]`
 * @param strength 1 is as trained, 0 leaves the base as it is
 * @returns a new tensor
 * @throws WeightError when the shapes do not fit
 */
export function mergeLora(
  weight: Tensor<'float32'>,
  layer: LoraLayer,
  strength = 1,
): Tensor<'float32'> {
  const { shape, data: base } = weight;
  const { rank, down, up } = layer;
  const made = productShape(down.shape, up.shape);
  if (shape.join() !== made.join())
    throw new WeightError(`LoRA: ${mismatch('weight', shape, made)}.`);
  const width = elementCount(shape.slice(1));
  const factor = Math.fround(strength * layer.scale);
  const data = new Float32Array(base.length);
  const row = new Float64Array(width);
  for (let o = 0; o < shape[0]!; o++) {
    row.fill(0);
    for (let r = 0; r < rank; r += 4) addFour(row, layer, o, r);
    const start = o * width;
    for (let i = 0; i < width; i++) {
      data[start + i] = base[start + i]! + Math.fround(Math.fround(row[i]!) * factor);
    }
  }
  return { dtype: 'float32', shape, data };
}

/** Adds four of the products that make up row `o` of B . A; a pass for each alone takes half as long again. */
function addFour(row: Float64Array, { rank, down, up }: LoraLayer, o: number, r: number): void {
  const width = row.length;
  const b = (i: number): number => (r + i < rank ? up.data[o * rank + r + i]! : 0);
  const a = (i: number): Float32Array => {
    const at = Math.min(r + i, rank - 1); // beyond the rank its factor is zero
    return down.data.subarray(at * width, (at + 1) * width);
  };
  const [b0, b1, b2, b3] = [b(0), b(1), b(2), b(3)];
  const [a0, a1, a2, a3] = [a(0), a(1), a(2), a(3)];
  for (let i = 0; i < width; i++) {
    row[i] = row[i]! + b0 * a0[i]! + b1 * a1[i]! + b2 * a2[i]! + b3 * a3[i]!;
  }
}

/**
 * The weight `key` of the base as a LoRA leaves it: replaced, merged, or as it was. A strength
 * between 0 and 1 takes a replaced weight that far from the base's to the LoRA's.
 *
 * @param key `<part>.<key>`, such as `unet.conv_in.weight`
 */
export function applyLora(
  key: string,
  weight: Tensor<'float32'>,
  lora: Lora,
  strength = 1,
): Tensor<'float32'> {
  const layer = key.endsWith('.weight')
    ? lora.layers.get(key.slice(0, -'.weight'.length))
    : undefined;
  const other = lora.replaced.get(key);
  const start = other ? between(weight, other, strength) : weight;
  return layer ? mergeLora(start, layer, strength) : start;
}

function between(
  from: Tensor<'float32'>,
  to: Tensor<'float32'>,
  strength: number,
): Tensor<'float32'> {
  if (strength === 1) return to;
  const data = from.data.map((value, i) => value + strength * (to.data[i]! - value));
  return { ...from, data };
}
