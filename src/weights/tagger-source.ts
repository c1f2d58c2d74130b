/** @file The weights of a RAM tagger with DAPE's LoRA merged in, as the official program's `eval()` leaves them (github: cswry/OSEDiff, folder ram). */
import { WeightError } from '../tensor/errors.ts';
import { toFloat32 } from '../tensor/float16.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type LoraLayer, mergeLora } from './lora.ts';
import { fewOf, quoted } from './quoted.ts';
import type { WeightInfo, WeightSource } from './source.ts';

type Float = Tensor<'float32'>;

/** What a tagger's weights are made from. */
export interface TaggerFiles {
  /** `ram_swin_large_14m.pth`. */
  readonly base: WeightSource;
  /** `DAPE.pth`: LoRA, whole weights, or both, of any subset of the modules. */
  readonly dape?: WeightSource | undefined;
}

/** The two LoRA factors of a module. */
const factor = /\.lora_([AB])$/;
/** The layers of the tagging head; the class gives each a second name, which has a LoRA of its own. */
const headLayer = /^tagging_head\.(?=encoder\.layer\.\d+\.)/;

/**
 * One source of both files, which closes them.
 *
 * A weight comes from `dape` where it has it whole, else from `base`; what LoRA there is for it, under
 * each of its names, is added. `vision_multi`, the tagging head's name in some files, is renamed.
 *
 * @throws WeightError when `dape` has nothing for the tagger
 */
export function taggerSource({ base, dape }: TaggerFiles): WeightSource {
  const files = [base, dape].filter((file) => file !== undefined);
  const entries = new Map<string, WeightInfo>();
  const stored = new Map<string, { readonly file: WeightSource; readonly key: string }>();
  for (const file of files) {
    for (const [key, info] of file.entries) {
      const name = key.replaceAll('vision_multi', 'tagging_head');
      stored.set(name, { file, key });
      if (!factor.test(name)) entries.set(name, { ...info, dtype: 'float32' });
    }
  }
  if (dape) checkUse(dape, base);
  const label = files.map((file) => file.label).join(' + ');
  const read = async (name: string): Promise<Float | undefined> => {
    const place = stored.get(name);
    return place && toFloat32(await place.file.read(place.key));
  };
  return {
    label,
    entries,
    async close() {
      await Promise.all(files.map((file) => file.close()));
    },
    async read(name) {
      const weight = await readWhole(name);
      if (!weight) throw new WeightError(`${label}: has no tensor ${quoted(name)}.`);
      return mergeAll(name, weight);
    },
  };

  /** A tied weight is the later file's, under whichever name it has it. */
  async function readWhole(name: string): Promise<Float | undefined> {
    const names = namesOf(name);
    const inDape = names.find((one) => dape && stored.get(one)?.file === dape);
    return read(inDape ?? names.find((one) => stored.has(one)) ?? name);
  }

  async function mergeAll(name: string, weight: Float): Promise<Float> {
    let merged = weight;
    for (const module of namesOf(name).map((one) => one.replace(/\.weight$/, ''))) {
      const [a, b] = [await read(`${module}.lora_A`), await read(`${module}.lora_B`)];
      if (!name.endsWith('.weight') || !a || !b) continue;
      const layers = module.endsWith('.attn.qkv') ? fusedLayers(a, b) : [plainLayer(a, b)];
      for (const { row, layer } of layers) merged = mergeRows(merged, row, layer, name);
    }
    return merged;
  }
}

/** The names of one weight, first the one that wins where both hold it whole. */
function namesOf(name: string): readonly string[] {
  return headLayer.test(name) ? [name, name.replace(headLayer, 'tag_encoder.')] : [name];
}

/** A LoRA on a block of a weight's rows. */
interface PlacedLora {
  readonly row: number;
  readonly layer: LoraLayer;
}

/** loralib's alpha is 1: the scale is one over the rank. */
function layerOf(down: Float, up: Float): LoraLayer {
  const rank = down.shape[0]!;
  return { rank, scale: 1 / rank, down, up };
}

function plainLayer(a: Float, b: Float): PlacedLora {
  return { row: 0, layer: layerOf(a, b) };
}

/**
 * The LoRA of q and v of a fused projection; k has none.
 *
 * @param a `[2·rank, C]` @param b `[2·C, rank]`
 */
function fusedLayers(a: Float, b: Float): readonly PlacedLora[] {
  const width = b.shape[0]! / 2;
  return [0, 1].map((i) => ({
    row: 2 * i * width,
    layer: layerOf(half(a, i), half(b, i)),
  }));
}

/** The first or second half of the rows. */
function half({ shape, data }: Float, i: number): Float {
  const rows = shape[0]! / 2;
  const length = data.length / 2;
  return {
    dtype: 'float32',
    shape: [rows, ...shape.slice(1)],
    data: data.subarray(i * length, (i + 1) * length),
  };
}

function mergeRows(weight: Float, row: number, layer: LoraLayer, name: string): Float {
  const [rows, width] = [layer.up.shape[0]!, weight.shape[1]!];
  const [start, end] = [row * width, (row + rows) * width];
  if (weight.shape.length !== 2 || layer.down.shape[1] !== width || end > weight.data.length) {
    throw new WeightError(
      `tagger: the LoRA of ${quoted(name)} does not fit its weight [${weight.shape.join(', ')}]. Check that both files belong together.`,
    );
  }
  const part: Float = {
    dtype: 'float32',
    shape: [rows, width],
    data: weight.data.slice(start, end),
  };
  const data = weight.data.slice();
  data.set(mergeLora(part, layer).data, start);
  return { ...weight, data };
}

/** @throws WeightError for a file none of whose keys belongs to a module of the base */
function checkUse(dape: WeightSource, base: WeightSource): void {
  const modules = new Set([...base.entries.keys()].map((key) => key.replace(/\.[^.]+$/, '')));
  const strangers = [...dape.entries.keys()].filter(
    (key) => !modules.has(key.replace(/\.[^.]+$/, '')),
  );
  if (strangers.length < dape.entries.size) return;
  throw new WeightError(
    `${dape.label}: expected LoRA for the modules of ${base.label}, got ${fewOf(strangers.map(quoted))}. Give DAPE.pth.`,
  );
}
