/** @file LPIPS, DISTS and FID against the vectors of `metrics/`, at full size with recipe weights. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { scope } from '../../src/graph/scope.ts';
import { cleanInput, legacyInput } from '../../src/measures/fid-input.ts';
import { type Features, frechetDistance } from '../../src/measures/frechet.ts';
import { alexFeatures, alexLpips } from '../../src/networks/alex-lpips.ts';
import { dists } from '../../src/networks/dists.ts';
import { inception } from '../../src/networks/inception.ts';
import { lpips, vgg16Widths, vggFeatures } from '../../src/networks/vgg-lpips.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { lpipsLins } from '../../src/weights/lpips-lins.ts';
import { readGolden } from '../helpers/golden.ts';
import { readKeys, recipeReader } from '../helpers/recipe.ts';
import {
  jsonAt,
  numbersRow,
  planesAt,
  rgbAt,
  runNetwork,
  type Summary,
  summaryRow,
} from './metric-rows.ts';
import { compare, type Row } from './row.ts';

type Read = (key: string) => Promise<Tensor<'float32'>>;

/** The keys that networks ask for, of a list in torchvision's names. */
function trunkReader(path: string): Read {
  const read = recipeReader(readKeys(path));
  return (key) => read(key.replace(/^trunk\./, 'features.'));
}

interface LpipsJson {
  readonly input: readonly [string, string];
  readonly [trunk: string]: unknown;
}

interface LpipsTrunk {
  readonly score: number;
  readonly per_layer: readonly number[];
  readonly swapped: number;
  readonly features_of_reference: Readonly<Record<string, Summary>>;
}

export async function* lpipsRows(folder: string): AsyncGenerator<Row> {
  const json = jsonAt(folder, 'lpips.json') as LpipsJson;
  const file = 'metrics/lpips.json';
  const [a, b] = await Promise.all(json.input.map((name) => planesAt(folder, name, 'signed')));
  for (const trunk of ['alex', 'vgg'] as const) {
    const stored = readGolden(join(folder, 'metrics', `lpips-lin-${trunk}.safetensors`));
    const lins = lpipsLins(trunk);
    for (const [key, want] of stored) {
      const got = lins.get(key.replace(/^lin(\d)\.model\.1/, 'lin.$1'));
      yield compare(`metrics/lpips-lin-${trunk}.safetensors`, key, want, [got], 0);
    }
    const readTrunk = trunkReader(join(folder, 'metrics', `keys-lpips-${trunk}.txt`));
    const read: Read = async (key) => lins.get(key) ?? (await readTrunk(key));
    const run = async (feeds: { a: Tensor; b: Tensor }): Promise<Record<string, number>> => {
      const got = await runNetwork(feeds, read, (graph, input) => {
        const build = trunk === 'alex' ? alexLpips : lpips;
        const { distance, stages } = build(scope(graph, ''), input('a'), input('b'));
        graph.output('score', distance);
        stages.forEach((stage, i) => graph.output(`stage${i}`, stage));
      });
      return Object.fromEntries(
        Object.entries(got).map(([name, { data }]) => [name, Number(data[0])]),
      );
    };
    const want = json[trunk] as LpipsTrunk;
    const got = await run({ a: a!, b: b! });
    yield numbersRow(file, `${trunk}.score`, want.score, got['score']!);
    const layers = want.per_layer.map((_, i) => got[`stage${i}`]!);
    yield numbersRow(file, `${trunk}.per_layer`, want.per_layer, layers);
    const swapped = await run({ a: b!, b: a! });
    yield numbersRow(file, `${trunk}.swapped`, want.swapped, swapped['score']!);
    const features = await runNetwork({ x: b! }, read, (graph, input) => {
      const s = scope(graph, '');
      const stages =
        trunk === 'alex' ? alexFeatures(s, input('x')) : vggFeatures(s, input('x'), vgg16Widths);
      stages.forEach((stage, i) => graph.output(`slice${i + 1}`, stage));
    });
    for (const [name, summary] of Object.entries(want.features_of_reference)) {
      yield summaryRow(file, `${trunk}.features_of_reference.${name}`, summary, features[name]);
    }
  }
}

interface DistsJson {
  readonly input: readonly [string, string];
  readonly score: number;
  readonly reference_with_itself: number;
  readonly swapped: number;
  readonly stages_of_distorted: Readonly<Record<string, Summary>>;
  readonly mean_of_each_stage: readonly (readonly number[])[];
}

export async function* distsRows(folder: string): AsyncGenerator<Row> {
  const json = jsonAt(folder, 'dists.json') as DistsJson;
  const file = 'metrics/dists.json';
  const [a, b] = await Promise.all(json.input.map((name) => planesAt(folder, name, 'unit')));
  const readTrunk = trunkReader(join(folder, 'metrics', 'keys-lpips-vgg.txt'));
  const readOwn = recipeReader(readKeys(join(folder, 'metrics', 'keys-dists.txt')));
  const run = (x: Tensor, y: Tensor) =>
    runNetwork(
      { a: x, b: y },
      (key) => (key.startsWith('trunk.') ? readTrunk(key) : readOwn(key)),
      (graph, input) => {
        const { distance, stages } = dists(scope(graph, ''), input('a'), input('b'));
        graph.output('score', distance);
        stages.forEach((stage, i) => graph.output(`stage${i}`, stage));
      },
    );
  const got = await run(a!, b!);
  const back = await run(b!, a!);
  const same = await run(b!, b!);
  const score = (result: typeof got): number => Number(result['score']!.data[0]);
  yield numbersRow(file, 'score', json.score, score(got));
  yield numbersRow(file, 'swapped', json.swapped, score(back));
  yield numbersRow(file, 'reference_with_itself', json.reference_with_itself, score(same), 1e-6);
  for (const [name, summary] of Object.entries(json.stages_of_distorted)) {
    yield summaryRow(file, `stages_of_distorted.${name}`, summary, got[name]);
  }
  for (const [i, result] of [got, back].entries()) {
    const means = json.mean_of_each_stage[i]!.map((_, stage) => meanOf(result[`stage${stage}`]!));
    yield numbersRow(file, `mean_of_each_stage.${i}`, json.mean_of_each_stage[i]!, means);
  }
}

function meanOf({ data }: Tensor): number {
  let sum = 0;
  for (const value of data) sum += Number(value);
  return sum / data.length;
}

interface FidMode {
  readonly network_input: Summary;
  readonly blocks?: Readonly<Record<string, Summary>>;
  readonly pool3?: Summary;
}

interface FidJson {
  readonly pictures: Readonly<Record<string, { readonly file: string } & Record<string, unknown>>>;
}

const resizes = { clean: cleanInput, legacy_pytorch: legacyInput } as const;

export async function* fidRows(folder: string): AsyncGenerator<Row> {
  const { pictures } = jsonAt(folder, 'fid.json') as FidJson;
  const arrays = readGolden(join(folder, 'metrics', 'fid.safetensors'));
  const read = recipeReader(readKeys(join(folder, 'metrics', 'keys-fid.txt')));
  const [file, tensors] = ['metrics/fid.json', 'metrics/fid.safetensors'];
  for (const [name, picture] of Object.entries(pictures)) {
    const rgb = await rgbAt(folder, picture.file);
    for (const [mode, resize] of Object.entries(resizes)) {
      const want = picture[mode] as FidMode;
      const x = resize(rgb);
      const key = `pictures.${name}.${mode}`;
      yield summaryRow(file, `${key}.network_input`, want.network_input, x);
      const every2nd = arrays.get(`${name}.${mode}.input_every_2nd`);
      if (every2nd)
        yield compare(tensors, `${name}.${mode}.input_every_2nd`, every2nd, [everySecond(x)], 1e-4);
      const modules = Object.fromEntries(
        Object.keys(want.blocks ?? {}).map((block) => [block, block]),
      );
      const got = await runNetwork(
        { x },
        read,
        (graph, input) => graph.output('pool3', inception(scope(graph, ''), input('x'))),
        modules,
      );
      for (const [block, summary] of Object.entries(want.blocks ?? {})) {
        yield summaryRow(file, `${key}.blocks.${block}`, summary, got[block]);
      }
      if (want.pool3) yield summaryRow(file, `${key}.pool3`, want.pool3, got['pool3']);
      const stored = arrays.get(`${name}.${mode}.pool3`);
      if (stored)
        yield numbersRow(
          tensors,
          `${name}.${mode}.pool3`,
          stored.data as Float32Array,
          got['pool3']!.data as Float32Array,
        );
    }
  }
}

/** `x[:, :, ::2, ::2]`. */
function everySecond({ shape, data }: Tensor<'float32'>): Tensor<'float32'> {
  const [n, channels, height, width] = shape as [number, number, number, number];
  const [rows, columns] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const out: number[] = [];
  for (let plane = 0; plane < n * channels; plane++) {
    for (let y = 0; y < height; y += 2) {
      for (let x = 0; x < width; x += 2) out.push(data[(plane * height + y) * width + x]!);
    }
  }
  return float32([n, channels, rows, columns], out);
}

interface FrechetJson {
  readonly pyiqa: number;
  readonly by_singular_values: number;
}

export async function* frechetRows(folder: string): AsyncGenerator<Row> {
  if (!existsSync(join(folder, 'metrics', 'frechet.json'))) return;
  const json = jsonAt(folder, 'frechet.json') as Readonly<Record<string, FrechetJson>>;
  const arrays = readGolden(join(folder, 'metrics', 'frechet.safetensors'));
  for (const [name, want] of Object.entries(json)) {
    const set = (which: 'a' | 'b'): Features => {
      const { shape, data } = arrays.get(`${name}.${which}`)!;
      return { count: shape[0]!, size: shape[1]!, data: data as Float32Array };
    };
    const got = frechetDistance(set('a'), set('b'));
    for (const key of ['pyiqa', 'by_singular_values'] as const) {
      // scipy's matrix root is good to some 1e-6.
      yield numbersRow('metrics/frechet.json', `${name}.${key}`, want[key], got, 1e-6 * want[key]);
    }
  }
}
