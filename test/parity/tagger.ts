/** @file Holds the tagger against a folder of reference vectors: `tagger/`. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Graph } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { readPicture } from '../../src/image/codec.ts';
import { withoutAlpha } from '../../src/image/picture.ts';
import { requiredByTagger } from '../../src/networks/required.ts';
import { swinTagger } from '../../src/networks/swin-tagger.ts';
import { type TaggerConfig, taggerConfig } from '../../src/networks/swin-tagger-config.ts';
import { pictureRows, type RowSource } from '../../src/pipeline/rows.ts';
import { taggerInput } from '../../src/pipeline/tagger.ts';
import type { Tensors } from '../../src/runtime/session.ts';
import { toFloat32 } from '../../src/tensor/float16.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { buildPrompt } from '../../src/text/prompt.ts';
import { chooseTags, parseTagLists, publishedTags } from '../../src/text/tags.ts';
import { openWeights, type WeightSource } from '../../src/weights/source.ts';
import { taggerSource } from '../../src/weights/tagger-source.ts';
import { readGolden } from '../helpers/golden.ts';
import { runGraph, type Weights } from '../helpers/run-graph.ts';
import { compare, notCovered, type Row, row } from './row.ts';

/** As the folder's README suggests: logits and what leads to them, and merged weights. */
const tolerances = { picture: 1e-5, features: 1e-4, logits: 2e-4, weights: 1e-6 };

interface Config {
  readonly bert: { readonly num_attention_heads: number };
  readonly tags: readonly string[];
  readonly thresholds: readonly number[];
  readonly pictures: Readonly<Record<string, PictureConfig>>;
}

interface PictureConfig {
  readonly file: string;
  readonly tags: string;
  readonly tags_without_dape: string;
  readonly prompt: string;
  readonly prompt_with_user_text: string;
}

type Arrays = ReadonlyMap<string, Tensor>;

/** A small tagger with its weights read, with DAPE or without. */
interface Small {
  readonly config: TaggerConfig;
  readonly weights: Weights;
}

/**
 * One row an array, a string counting as an array with an error of 0 or 1.
 *
 * @param folder laid out like `../shared/golden`
 */
export async function* parityTagger(folder: string): AsyncGenerator<Row> {
  const file = (name: string): string => join(folder, 'tagger', name);
  if (!existsSync(file('small.json'))) return;
  const config = JSON.parse(readFileSync(file('small.json'), 'utf8')) as Config;
  const heads = config.bert.num_attention_heads;
  const smalls = {
    withDape: await openSmall(file('ram_swin_small.pth'), file('DAPE_small.pth'), heads),
    without: await openSmall(file('ram_swin_small.pth'), undefined, heads),
  };

  yield* mergedRows(file('merged-weights.safetensors'), smalls.withDape);
  const inputs: Tensor<'float32'>[] = [];
  for (const [name, picture] of Object.entries(config.pictures)) {
    const vectors = `vectors-${name}.safetensors`;
    const arrays = readGolden(file(vectors));
    inputs.push(toFloat32(arrays.get('input')!));
    yield* vectorRows(vectors, arrays, smalls, config);
    yield* inputRows(file(picture.file), vectors, arrays);
    yield* textRows(name, file(picture.file), smalls, config);
  }
  yield* batchRows(file('batch.safetensors'), inputs, smalls.withDape);
  yield* resizeRows(file('resize.safetensors'), file(Object.values(config.pictures).at(-1)!.file));
  yield* listRows(file('ram_tag_list.txt'), file('ram_tag_list_threshold.txt'));
}

/** A picture as the upscaler hands it to the tagger. */
async function rowsAt(path: string): Promise<RowSource> {
  return pictureRows(withoutAlpha(await readPicture(path)), undefined);
}

async function openSmall(base: string, dape: string | undefined, heads: number): Promise<Small> {
  const source = taggerSource({
    base: await openWeights(base),
    dape: dape === undefined ? undefined : await openWeights(dape),
  });
  try {
    const shapes = new Map([...source.entries].map(([key, { shape }]) => [key, shape]));
    const config = taggerConfig(shapes, source.label, { heads });
    return { config, weights: await readAll(source, requiredByTagger(config).keys()) };
  } finally {
    await source.close();
  }
}

async function readAll(source: WeightSource, keys: Iterable<string>): Promise<Weights> {
  const weights = new Map<string, Tensor<'float32'>>();
  for (const key of keys) weights.set(key, toFloat32(await source.read(key)));
  return weights;
}

/** Runs the network, with every module's output that `wanted` names. */
async function tagBatch(
  { config, weights }: Small,
  x: Tensor<'float32'>,
  wanted: Iterable<string> = [],
): Promise<Tensors> {
  const graph = new Graph();
  const { imageEmbeds, logits } = swinTagger(
    scope(graph, ''),
    graph.input('x', 'float32', x.shape),
    config,
  );
  graph.output('image_embeds', imageEmbeds);
  graph.output('logits', logits);
  for (const name of wanted) {
    const value = graph.modules.get(name);
    if (value && !graph.outputs.has(name)) graph.output(name, value);
  }
  return runGraph(graph, { x }, weights);
}

async function* mergedRows(path: string, { weights }: Small): AsyncGenerator<Row> {
  for (const [key, want] of readGolden(path)) {
    yield compare(
      'tagger/merged-weights.safetensors',
      key,
      want,
      [weights.get(key)],
      tolerances.weights,
    );
  }
}

const other = 'without_dape.';
/** Not modules of the network. */
const outputs = new Set(['image_embeds', 'logits', 'probabilities', 'targets']);

async function* vectorRows(
  name: string,
  arrays: Arrays,
  { withDape, without }: { readonly withDape: Small; readonly without: Small },
  { tags, thresholds }: Config,
): AsyncGenerator<Row> {
  const x = toFloat32(arrays.get('input')!);
  const modules = [...arrays.keys()].filter((key) => !outputs.has(key));
  const got = await tagBatch(withDape, x, modules);
  const plain = await tagBatch(without, x);
  const logits = got['logits']!.data as Float32Array;
  const chosen = chooseTags(logits, { tags, thresholds: Float32Array.from(thresholds) });
  const derived: Readonly<Record<string, number[]>> = {
    probabilities: Array.from(logits, (v) => 1 / (1 + Math.exp(-v))),
    targets: tags.map((tag) => (chosen.some((one) => one.tag === tag) ? 1 : 0)),
  };
  for (const [key, want] of arrays) {
    if (key === 'input' || key === 'resized') continue; // see inputRows
    const value = key.startsWith(other) ? plain[key.slice(other.length)] : got[key];
    const found = key in derived ? float32(want.shape, derived[key]!) : value;
    const tolerance = key.endsWith('logits') ? tolerances.logits : tolerances.features;
    yield compare(`tagger/${name}`, key, want, [found], tolerance);
  }
}

async function* inputRows(path: string, name: string, arrays: Arrays): AsyncGenerator<Row> {
  const want = arrays.get('input')!;
  const got = taggerInput(await rowsAt(path), want.shape[3]!);
  yield compare(`tagger/${name}`, 'input', want, [got], tolerances.picture);
  const resized = arrays.get('resized');
  if (!resized) return;
  const [mean, deviation] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ];
  const area = got.data.length / 3;
  const unit = got.data.map((v, i) => {
    const c = Math.floor(i / area);
    return v * deviation[c]! + mean[c]!;
  });
  yield compare(
    `tagger/${name}`,
    'resized',
    resized,
    [float32(got.shape, unit)],
    tolerances.picture,
  );
}

/** The tags of a picture's file. */
async function chosenTags(
  path: string,
  small: Small,
  { tags, thresholds }: Config,
): Promise<readonly string[]> {
  const x = taggerInput(await rowsAt(path), small.config.imageSize);
  const { logits } = await tagBatch(small, x);
  const lists = { tags, thresholds: Float32Array.from(thresholds) };
  return chooseTags(logits!.data as Float32Array, lists).map(({ tag }) => tag);
}

/** The tags that pictures get, with DAPE and without, and prompts made of them. */
async function* textRows(
  name: string,
  path: string,
  smalls: { readonly withDape: Small; readonly without: Small },
  config: Config,
): AsyncGenerator<Row> {
  const picture = config.pictures[name]!;
  const text = (key: string, want: string, got: string): Row =>
    row('tagger/small.json', `pictures.${name}.${key}`, want === got ? 0 : 1, 0);
  const tags = await chosenTags(path, smalls.withDape, config);
  const without = await chosenTags(path, smalls.without, config);
  yield text('tags', picture.tags, tags.join(', '));
  yield text('tags_without_dape', picture.tags_without_dape, without.join(', '));
  yield text('prompt', picture.prompt, buildPrompt(tags, ''));
  // The user's words are what stands between the tags and the last comma.
  const words = picture.prompt_with_user_text.slice(`${picture.tags}, `.length, -1);
  yield text('prompt_with_user_text', picture.prompt_with_user_text, buildPrompt(tags, words));
}

async function* batchRows(
  path: string,
  inputs: readonly Tensor<'float32'>[],
  small: Small,
): AsyncGenerator<Row> {
  const length = inputs[0]!.data.length;
  const data = new Float32Array(inputs.length * length);
  inputs.forEach((x, i) => data.set(x.data, i * length));
  const x = float32([inputs.length, ...inputs[0]!.shape.slice(1)], data);
  const got = await tagBatch(small, x);
  for (const [key, want] of readGolden(path)) {
    yield compare('tagger/batch.safetensors', key, want, [got[key]], tolerances.logits);
  }
}

/** The official resize at the real size; the two wrong ones are there for contrast only. */
async function* resizeRows(path: string, picture: string): AsyncGenerator<Row> {
  for (const [key, want] of readGolden(path)) {
    const side = Number(/^official_(\d+)$/.exec(key)?.[1] ?? 0);
    if (side === 0) {
      yield notCovered('tagger/resize.safetensors', key);
      continue;
    }
    const full = taggerInput(await rowsAt(picture), side);
    const step = side / want.shape[3]!;
    const data = Float32Array.from(want.data as Float32Array, (_, i) => {
      const [x, rest] = [i % want.shape[3]!, Math.floor(i / want.shape[3]!)];
      const [y, c] = [rest % want.shape[2]!, Math.floor(rest / want.shape[2]!)];
      return full.data[(c * side + y * step) * side + x * step]!;
    });
    yield compare(
      'tagger/resize.safetensors',
      key,
      want,
      [float32(want.shape, data)],
      tolerances.picture,
    );
  }
}

/** The lists that come with the program against those in the folder. */
function* listRows(tagPath: string, thresholdPath: string): Generator<Row> {
  const [tagText, thresholdText] = [tagPath, thresholdPath].map((path) =>
    readFileSync(path, 'utf8'),
  );
  const want = parseTagLists(tagText!, thresholdText!, 'tagger');
  const got = publishedTags();
  const wrong = want.tags.filter((tag, i) => tag !== got.tags[i]).length;
  yield row(
    'tagger/ram_tag_list.txt',
    'tags',
    wrong + Math.abs(want.tags.length - got.tags.length),
    0,
  );
  const thresholds = [want, got].map(({ thresholds: v }) => float32([v.length], v));
  yield compare(
    'tagger/ram_tag_list_threshold.txt',
    'thresholds',
    thresholds[0]!,
    [thresholds[1]],
    0,
  );
}
