/** @file MANIQA against the vectors of `metrics/`: small, two crops at full size, and where the authors cropped. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { scope } from '../../src/graph/scope.ts';
import { crop, type Corner, largeEnough, randomCrops } from '../../src/measures/maniqa-crops.ts';
import { maniqa } from '../../src/networks/maniqa.ts';
import { maniqaConfig } from '../../src/networks/maniqa-config.ts';
import { float32, tensor } from '../../src/tensor/tensor.ts';
import { jsonAt, numbersRow, planesAt, runNetwork, summaryRow } from './metric-rows.ts';
import {
  type Activations,
  headsFor,
  keysAt,
  recipeWeights,
  storedWeights,
} from './metric-weights.ts';
import type { Row } from './row.ts';

interface ManiqaCase {
  readonly file: string;
  readonly numpy_seed: number;
  readonly size_cropped_from: readonly [number, number];
  readonly crops_top_left: readonly (readonly [number, number])[];
  readonly score: number;
  readonly activations: Activations;
}

/** What the authors' script has for PIPAL. */
const swinScale = 0.13;

export async function* maniqaRows(folder: string): AsyncGenerator<Row> {
  const json = jsonAt(folder, 'maniqa.json') as Readonly<Record<string, unknown>>;
  const file = 'metrics/maniqa.json';
  for (const [name, value] of Object.entries(json)) {
    if (typeof value !== 'object' || value === null || !('crops_top_left' in value)) continue;
    const want = value as ManiqaCase;
    const { shapes, read } = name.startsWith('small')
      ? await storedWeights(join(folder, 'metrics', 'maniqa-small.pth'))
      : recipeWeights(keysAt(folder, 'keys-maniqa.txt'));
    const heads = headsFor(shapes.get('vit.cls_token')![2]!);
    const config = maniqaConfig(shapes, 'maniqa', { scale: swinScale, heads });
    const { shape, data } = await planesAt(folder, want.file, 'signed');
    const picture = largeEnough(tensor('float32', shape.slice(1), data));
    yield numbersRow(
      file,
      `${name}.size_cropped_from`,
      want.size_cropped_from,
      picture.shape.slice(1),
      0,
    );
    const [, height, width] = picture.shape as [number, number, number];
    const corners = randomCrops(want.numpy_seed, want.crops_top_left.length)(height, width);
    yield numbersRow(file, `${name}.crops_top_left`, want.crops_top_left.flat(), flat(corners), 0);
    const crops = corners.map((corner) => crop(picture, corner));
    const x = float32(
      [crops.length, ...crops[0]!.shape.slice(1)],
      crops.flatMap((one) => Array.from(one.data)),
    );
    const modules = Object.fromEntries(Object.keys(want.activations).map((key) => [key, key]));
    const got = await runNetwork(
      { x },
      read,
      (graph, input) => {
        const { scores, weights } = maniqa(scope(graph, ''), input('x'), config);
        graph.output('scores', scores);
        graph.output('weights', weights);
      },
      modules,
    );
    const [scores, weights] = [got['scores']!.data, got['weights']!.data] as [
      Float32Array,
      Float32Array,
    ];
    const total = weights.reduce((sum, v) => sum + v, 1e-8);
    const score = scores.reduce((sum, v, i) => sum + v * weights[i]!, 0) / total;
    yield numbersRow(file, `${name}.score`, want.score, score);
    for (const [key, summary] of Object.entries(want.activations)) {
      yield summaryRow(file, `${name}.activations.${key}`, summary, got[key]);
    }
  }
  yield* cropRows(folder);
}

function flat(corners: readonly Corner[]): number[] {
  return corners.flatMap(({ top, left }) => [top, left]);
}

/** The authors' crops of their hundred pictures, in order, all of 512x512. */
function* cropRows(folder: string): Generator<Row> {
  if (!existsSync(join(folder, 'metrics', 'maniqa-crops-realsr.json'))) return;
  const json = jsonAt(folder, 'maniqa-crops-realsr.json') as Readonly<Record<string, unknown>>;
  const lists = Object.entries(json).filter(([, v]) => Array.isArray(v) && v.every(Array.isArray));
  const draw = randomCrops(123);
  for (const [key, want] of lists as [string, number[][]][]) {
    yield numbersRow('metrics/maniqa-crops-realsr.json', key, want.flat(), flat(draw(512, 512)), 0);
  }
}
