/** @file CLIPIQA against the vectors of `metrics/`: small, at full size, and a TorchScript archive read. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { scope } from '../../src/graph/scope.ts';
import { antonymIds } from '../../src/measures/parts.ts';
import { clipConfig } from '../../src/networks/clip-config.ts';
import { antonyms, clipIqa, textDirections } from '../../src/networks/clip-iqa.ts';
import { clipTexts } from '../../src/networks/clip-openai-text.ts';
import { toFloat32 } from '../../src/tensor/float16.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { openWeights } from '../../src/weights/source.ts';
import { readGolden } from '../helpers/golden.ts';
import { recipeReader } from '../helpers/recipe.ts';
import { jsonAt, numbersRow, planesAt, runNetwork, summaryRow } from './metric-rows.ts';
import { type Activations, keysAt, shapesOf } from './metric-weights.ts';
import type { Row } from './row.ts';

interface ClipJson {
  readonly small: ClipCase;
  readonly real: ClipCase;
  readonly prompts: { readonly ids: readonly (readonly number[])[]; readonly length: number };
}

interface ClipCase {
  readonly file: string;
  readonly score: number;
  readonly logits: readonly number[];
  readonly probability_of_each_first: readonly number[];
  readonly activations: Activations;
}

export async function* clipiqaRows(folder: string): AsyncGenerator<Row> {
  const json = jsonAt(folder, 'clipiqa.json') as ClipJson;
  const file = 'metrics/clipiqa.json';
  for (const [i, ids] of json.prompts.ids.entries()) {
    yield numbersRow(file, `prompts.ids.${i}`, ids, antonyms[i]?.ids ?? [], 0);
  }
  const features = readGolden(join(folder, 'metrics', 'clipiqa.safetensors'));
  for (const [name, list] of [
    ['small', 'keys-clipiqa-small.txt'],
    ['real', 'keys-clipiqa.txt'],
  ] as const) {
    const want = json[name];
    const keys = keysAt(folder, list);
    const read = recipeReader(keys);
    const config = clipConfig(shapesOf(keys), list);
    const modules = (visual: boolean): Record<string, string> =>
      Object.fromEntries(
        Object.keys(want.activations)
          .filter((key) => key.startsWith('visual') === visual)
          .map((key) => [key, key]),
      );
    const ids = antonymIds(json.prompts.length);
    const texts = await runNetwork(
      {},
      read,
      (graph) => {
        // As the measure makes them, cut short; then as the reference has them, whose modules are looked at.
        graph.output('directions', textDirections(scope(graph, ''), antonymIds(), config));
        graph.output('features', clipTexts(scope(graph, ''), ids, config));
      },
      modules(false),
    );
    const x = await planesAt(folder, want.file, 'unit');
    const feeds = { x, directions: texts['directions']! };
    const got = await runNetwork(
      feeds,
      read,
      (graph, input) => {
        const { logits, preferences, score } = clipIqa(
          scope(graph, ''),
          input('x'),
          input('directions'),
          config,
        );
        graph.output('logits', logits);
        graph.output('preferences', preferences);
        graph.output('score', score);
      },
      modules(true),
    );
    yield numbersRow(file, `${name}.score`, want.score, got['score']!.data as Float32Array);
    yield numbersRow(file, `${name}.logits`, want.logits, got['logits']!.data as Float32Array);
    yield numbersRow(
      file,
      `${name}.probability_of_each_first`,
      want.probability_of_each_first,
      got['preferences']!.data as Float32Array,
    );
    for (const [key, summary] of Object.entries(want.activations)) {
      // The reference's blocks have the tokens first, ours the texts.
      const value =
        key.startsWith('transformer') && texts[key]
          ? tokensFirst(texts[key])
          : (texts[key] ?? got[key]);
      yield summaryRow(file, `${name}.activations.${key}`, summary, value);
    }
    const tensors = {
      [`${name}.text_features`]: texts['features'],
      [`${name}.image_features`]: got['visual'],
    };
    for (const [key, value] of Object.entries(tensors)) {
      const stored = features.get(key);
      if (stored)
        yield numbersRow(
          'metrics/clipiqa.safetensors',
          key,
          stored.data as Float32Array,
          (value?.data ?? []) as Float32Array,
        );
    }
  }
  yield* archiveRows(folder);
}

/** `[a, b, c] -> [b, a, c]`. */
function tokensFirst({ shape, data }: Tensor): Tensor {
  const [texts, tokens, width] = shape as [number, number, number];
  const out = new Float32Array(data.length);
  for (let i = 0; i < texts; i++) {
    for (let j = 0; j < tokens; j++) {
      const row = (data as Float32Array).subarray(
        (i * tokens + j) * width,
        (i * tokens + j + 1) * width,
      );
      out.set(row, (j * texts + i) * width);
    }
  }
  return float32([tokens, texts, width], out);
}

/** A TorchScript archive, read: every tensor of its list is there, in float16. */
async function* archiveRows(folder: string): AsyncGenerator<Row> {
  const path = join(folder, 'metrics', 'clip-jit-tiny.pt');
  if (!existsSync(path)) return;
  const keys = keysAt(folder, 'keys-clip-jit-tiny.txt');
  const source = await openWeights(path);
  try {
    const reader = recipeReader(keys);
    for (const { name, shape, fill } of keys) {
      const info = source.entries.get(name);
      const key = `clip-jit-tiny.${name}`;
      if (info?.shape.join() !== shape.join())
        yield numbersRow('metrics/clip-jit-tiny.pt', key, 0, 1, 0);
      else if (fill) {
        const [want, got] = [await reader(name), toFloat32(await source.read(name))];
        const largest = want.data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
        yield numbersRow('metrics/clip-jit-tiny.pt', key, want.data, got.data, 2 ** -11 * largest); // float16
      }
    }
  } finally {
    await source.close();
  }
}
