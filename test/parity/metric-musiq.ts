/** @file MUSIQ against the vectors of `metrics/`: small, at full size, and with marks. */
import { join } from 'node:path';
import { scope } from '../../src/graph/scope.ts';
import { musiqPatches } from '../../src/measures/musiq-patches.ts';
import { musiq, musiqConfig } from '../../src/networks/musiq.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { readGolden } from '../helpers/golden.ts';
import type { RecipeKey } from '../helpers/recipe.ts';
import {
  jsonAt,
  numbersRow,
  planesAt,
  runNetwork,
  type Summary,
  summaryRow,
} from './metric-rows.ts';
import {
  type Activations,
  headsFor,
  keysAt,
  recipeWeights,
  storedWeights,
  type Weights,
} from './metric-weights.ts';
import type { Row } from './row.ts';

interface MusiqCase {
  readonly file: string;
  readonly score: readonly number[];
  readonly data_preprocess_opts: { readonly longer_side_lengths: readonly number[] };
  readonly patches: Summary;
  readonly spatial_positions: readonly number[];
  readonly scale_positions: readonly number[];
  readonly mask: readonly number[];
  readonly activations: Activations;
}

interface MusiqJson {
  readonly small: MusiqCase;
  readonly real: MusiqCase;
  readonly ava_head: {
    readonly file: string;
    readonly score: number;
    readonly distribution: readonly number[];
  };
}

const musiqModules: Readonly<Record<string, string>> = {
  'encoder.block_0': 'transformer_encoder.transformer.encoderblock_0',
  encoder_norm: 'transformer_encoder.encoder_norm',
};

export async function* musiqRows(folder: string): AsyncGenerator<Row> {
  const json = jsonAt(folder, 'musiq.json') as MusiqJson;
  const file = 'metrics/musiq.json';
  const full = keysAt(folder, 'keys-musiq.txt');
  const cases = {
    small: await storedWeights(join(folder, 'metrics', 'musiq-small.pth')),
    real: recipeWeights(full),
  };
  for (const name of ['small', 'real'] as const) {
    const want = json[name];
    const { inputs, got } = await runMusiq(
      folder,
      want.file,
      cases[name],
      want.data_preprocess_opts.longer_side_lengths,
      Object.keys(want.activations),
    );
    yield summaryRow(file, `${name}.patches`, want.patches, inputs.patches);
    yield numbersRow(
      file,
      `${name}.spatial_positions`,
      want.spatial_positions,
      Array.from(inputs.places.data, Number),
      0,
    );
    yield numbersRow(
      file,
      `${name}.scale_positions`,
      want.scale_positions,
      Array.from(inputs.scales.data, Number),
      0,
    );
    yield numbersRow(file, `${name}.mask`, want.mask, inputs.mask.data, 0);
    yield numbersRow(file, `${name}.score`, want.score, got['score']!.data as Float32Array);
    for (const [key, summary] of Object.entries(want.activations)) {
      yield summaryRow(file, `${name}.activations.${key}`, summary, got[key]);
    }
    if (name === 'small') {
      for (const [key, stored] of readGolden(join(folder, 'metrics', 'musiq.safetensors'))) {
        const cut = splitPatches(inputs.patches, inputs, stored.shape.at(-1)!);
        yield numbersRow('metrics/musiq.safetensors', key, stored.data as Float32Array, cut);
      }
    }
  }
  const { score, distribution, file: picture } = json.ava_head;
  const sides = json.real.data_preprocess_opts.longer_side_lengths;
  const { got } = await runMusiq(
    folder,
    picture,
    recipeWeights(withMarks(full, distribution.length)),
    sides,
    [],
  );
  yield numbersRow(file, 'ava_head.score', score, got['score']!.data as Float32Array);
  yield numbersRow(
    file,
    'ava_head.distribution',
    distribution,
    got['distribution']!.data as Float32Array,
  );
}

/** The rows as the reference keeps them: pixels, then place, scale and mask, as many as `length` has room for. */
function splitPatches(
  patches: Tensor<'float32'>,
  { places, scales, mask }: ReturnType<typeof musiqPatches>,
  length: number,
): Float32Array {
  const [count] = patches.shape as [number];
  const size = patches.data.length / count;
  const out = new Float32Array(count * length);
  for (let i = 0; i < count; i++) {
    const row = [
      ...patches.data.subarray(i * size, (i + 1) * size),
      Number(places.data[i]),
      Number(scales.data[i]),
      mask.data[i]!,
    ];
    out.set(row.slice(0, length), i * length);
  }
  return out;
}

/** The list of a network that gives marks: another head, filled as the list's own is. */
function withMarks(keys: readonly RecipeKey[], marks: number): readonly RecipeKey[] {
  return keys.map((key) => {
    const part = /^head\.(weight|bias)$/.exec(key.name)?.[1];
    if (part === undefined) return key;
    return { ...key, name: `head.0.${part}`, shape: [marks, ...key.shape.slice(1)] };
  });
}

async function runMusiq(
  folder: string,
  picture: string,
  { shapes, read }: Weights,
  sides: readonly number[],
  activations: readonly string[],
): Promise<{ inputs: ReturnType<typeof musiqPatches>; got: Readonly<Record<string, Tensor>> }> {
  const config = musiqConfig(shapes, 'musiq', headsFor(shapes.get('embedding.weight')![0]!));
  const { shape, data } = await planesAt(folder, picture, 'signed');
  const inputs = musiqPatches(tensor('float32', shape.slice(1), data), { ...config, sides });
  const got = await runNetwork(
    { ...inputs },
    read,
    (graph, input) => {
      const patches = {
        patches: input('patches'),
        places: input('places'),
        scales: input('scales'),
        mask: input('mask'),
      };
      const { score, distribution } = musiq(scope(graph, ''), patches, config);
      graph.output('score', score);
      if (distribution) graph.output('distribution', distribution);
    },
    Object.fromEntries(activations.map((key) => [key, musiqModules[key] ?? key])),
  );
  return { inputs, got };
}
