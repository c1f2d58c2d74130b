/** @file Measures that are networks, from their imported files to scores. */
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { catalogue, chooseMeasures } from '../../src/measures/catalogue.ts';
import { evaluate } from '../../src/measures/evaluate.ts';
import { cleanInput } from '../../src/measures/fid-input.ts';
import { fid } from '../../src/measures/fid.ts';
import { frechetDistance } from '../../src/measures/frechet.ts';
import { maniqa } from '../../src/measures/maniqa.ts';
import { randomCrops } from '../../src/measures/maniqa-crops.ts';
import type { Measure } from '../../src/measures/measure.ts';
import { musiq } from '../../src/measures/musiq.ts';
import type { Runner } from '../../src/measures/network.ts';
import type { NetworkMeasure, NetworkMeter } from '../../src/measures/network-measure.ts';
import { importPart, installedParts } from '../../src/measures/part-store.ts';
import { partOf } from '../../src/measures/parts.ts';
import { toCsv, toJson } from '../../src/measures/report.ts';
import type { Rgb } from '../../src/measures/rgb.ts';
import { compile } from '../../src/pipeline/compile.ts';
import type { Tensors } from '../../src/runtime/session.ts';
import { PathError, ShapeError, UsageError, WeightError } from '../../src/tensor/errors.ts';
import { float32, type Tensor, zeros } from '../../src/tensor/tensor.ts';
import { planned, writeSafetensors } from '../../src/weights/safetensors-writer.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { golden } from '../helpers/golden.ts';
import { fillKey, readKeys, type RecipeKey } from '../helpers/recipe.ts';
import { writeThirds } from '../helpers/tiny-model.ts';
import { texture } from './pattern.ts';
import { readRgb } from './pictures.ts';

// Serial where a store is used: an environment variable names it.

const onCpu: Runner = {
  provider: async () => 'cpu',
  compile: (graph, weights) => compile(graph, weights, { device: 'cpu', precision: 'fp32' }),
};

function emptyStore(t: ExecutionContext): void {
  process.env['OSEDIFF_HOME'] = temporaryFolder(t);
}

/** Imports a file of weights filled by the recipe; `prefix` stands before every name, as in some files. */
async function importFilled(
  t: ExecutionContext,
  keys: readonly RecipeKey[],
  prefix = '',
): Promise<readonly string[]> {
  const file = join(temporaryFolder(t), 'weights.safetensors');
  const plans = keys.map((key) => {
    const { name, shape, fill } = key;
    return [`${prefix}${name}`, planned(fill ? fillKey(key) : zeros('float32', shape))] as const;
  });
  await writeSafetensors(file, new Map(plans));
  return (await importPart(file, {})).unused;
}

/** The keys of AlexNet, each value about as large as a trained one. */
function alexnetKeys(): RecipeKey[] {
  return [...partOf('alexnet').wanted(new Map())].map(([name, shape]) => {
    const inputs = shape.slice(1).reduce((a, b) => a * b, 1);
    return {
      name,
      shape,
      fill: { offset: 0, amplitude: shape.length > 1 ? Math.sqrt(6 / inputs) : 0.1 },
    };
  });
}

async function chosen(list: string): Promise<readonly Measure[]> {
  const networks = { installed: await installedParts(), runner: onCpu };
  return chooseMeasures(list, catalogue(undefined, networks), true).chosen;
}

async function score(list: string, result: Rgb, reference: Rgb): Promise<number> {
  const [measure] = await chosen(list);
  const entry = { name: 'a', result: async () => result, reference: async () => reference };
  const { mean } = await evaluate([entry], [measure!]);
  return mean.get(measure!)!;
}

test.serial(
  'an imported trunk makes LPIPS a measure: zero, symmetric, growing with the difference',
  async (t) => {
    emptyStore(t);
    t.deepEqual([...(await installedParts())], []);
    const classifier = { name: 'classifier.1.weight', shape: [2, 2] }; // in the file, of no use
    t.deepEqual(await importFilled(t, [...alexnetKeys(), classifier], 'module.'), []);
    t.deepEqual([...(await installedParts())], ['alexnet']);
    const [clean, grainy, rough] = [0, 8, 40].map((grain) => texture(70, 64, 1, grain)) as [
      Rgb,
      Rgb,
      Rgb,
    ];
    t.is(await score('lpips', clean, clean), 0);
    const [near, far] = [await score('lpips', grainy, clean), await score('lpips', rough, clean)];
    t.true(near > 0 && far > 2 * near);
    t.true(Math.abs((await score('lpips', clean, rough)) - far) < 1e-6);
  },
);

test.serial(
  'pictures of several sizes are scored in one go, and too small ones are named',
  async (t) => {
    emptyStore(t);
    await importFilled(t, alexnetKeys());
    const [measure] = await chosen('lpips');
    const pair = (name: string, width: number) => ({
      name,
      result: async () => texture(width, 40, 1, 9),
      reference: async () => texture(width, 40, 1, 0),
    });
    const { pictures } = await evaluate([pair('a', 40), pair('b', 51), pair('c', 40)], [measure!]);
    const [a, b, c] = pictures.map(({ scores }) => scores.get(measure!)!);
    t.is(a, c);
    t.not(a, b);
    await t.throwsAsync(evaluate([pair('tiny', 20)], [measure!]), {
      instanceOf: ShapeError,
      message: /^tiny: expected at least 31x31 pixels, got 20x40/,
    });
  },
);

test.serial('files of other weights are refused, with the remedy', async (t) => {
  emptyStore(t);
  const folder = temporaryFolder(t);
  const other = join(folder, 'other.safetensors');
  await writeThirds(other, { 'conv_in.weight': [3, 2] });
  await t.throwsAsync(importPart(other, {}), {
    instanceOf: WeightError,
    message: /other\.safetensors: expected the weights of a measure, .*alexnet-owt-7be5be79\.pth/,
  });
  const lins = join(folder, 'lins.safetensors');
  await writeThirds(lins, { 'lin0.model.1.weight': [1, 64, 1, 1] });
  await t.throwsAsync(importPart(lins, {}), {
    instanceOf: UsageError,
    message: /come with the program/,
  });
  const cut = join(folder, 'cut.safetensors');
  await writeThirds(cut, { 'features.0.weight': [64, 3, 11, 11] });
  await t.throwsAsync(importPart(cut, {}), {
    instanceOf: WeightError,
    message: /lacks "features\.0\.bias"/,
  });
  t.deepEqual([...(await installedParts())], []);
});

test.serial(
  'files of one shape are told apart by their names, and without one are the usual',
  async (t) => {
    emptyStore(t);
    const block = 'transformer_encoder.transformer.encoderblock_0';
    const told = new Map([
      ['embedding.weight', [6, 256]],
      ['block1.conv3.weight', [256, 64, 1, 1]],
      ['transformer_encoder.posembed_input.position_emb', [1, 4, 6]],
      ['transformer_encoder.scaleembed_input.scale_emb', [3, 6]],
      [`${block}.norm1.weight`, [6]],
      [`${block}.mlp.fc1.weight`, [9, 6]],
      ['head.weight', [1, 6]],
    ]);
    const shapes = Object.fromEntries(partOf('musiq-koniq').wanted(told));
    const folder = temporaryFolder(t);
    for (const name of ['my_SPAQ_musiq', 'weights']) {
      const file = join(folder, `${name}.safetensors`);
      await writeThirds(file, shapes);
      await importPart(file, {});
    }
    t.deepEqual([...(await installedParts())], ['musiq-koniq', 'musiq-spaq']);
    await t.throwsAsync(importPart(join(folder, 'weights.safetensors'), {}), {
      instanceOf: PathError,
      message: /"musiq-koniq": expected a new name/,
    });
  },
);

/** A meter whose networks only do what `run` says. */
function startWith(
  measure: NetworkMeasure,
  run: (feeds: Tensors) => Tensors,
): Promise<NetworkMeter> {
  const session = { run: async (feeds: Tensors) => run(feeds), release: async () => undefined };
  const part = {
    shapes: new Map(),
    read: () => Promise.reject(new Error('not to be read')),
    identity: 'x',
    close: async () => undefined,
  };
  const parts = measure.needs.map((name) => ({ ...part, shapes: shapesFor(name) }));
  return measure.start(parts, { provider: async () => 'cpu', compile: async () => session });
}

function shapesFor(name: string): ReadonlyMap<string, readonly number[]> {
  const list = golden(`metrics/keys-${name.replace(/-.*/, '')}.txt`);
  return new Map(list ? readKeys(list).map((key) => [key.name, key.shape]) : []);
}

test('FID is the distance of what the network sees, and needs two pictures', async (t) => {
  const see = (x: Tensor): Float32Array => {
    const mean = (x.data as Float32Array).reduce((sum, v) => sum + v, 0) / x.data.length;
    return Float32Array.from({ length: 2048 }, (_, i) => (i < 3 ? mean * (i + 1) ** 2 : 0));
  };
  const run = ({ x }: Tensors): Tensors => ({ features: float32([1, 2048], see(x!)) });
  const meter = await startWith(fid, run);
  const pictures = [1, 2, 3].map(
    (seed) => [texture(32, 32, seed, 9), texture(32, 32, seed, 60)] as const,
  );
  t.is(await meter.add(...pictures[0]!), undefined);
  t.is(await meter.total!([]), NaN);
  for (const pair of pictures.slice(1)) await meter.add(...pair);
  const set = (which: 0 | 1) => ({
    count: 3,
    size: 2048,
    data: Float32Array.from(pictures.flatMap((pair) => Array.from(see(cleanInput(pair[which]))))),
  });
  const expected = frechetDistance(set(1), set(0));
  t.true(expected > 0);
  t.true(Math.abs((await meter.total!([])) - expected) < 1e-9 * expected);
});

const withLists = golden('metrics/keys-maniqa.txt') ? test : test.skip;

withLists(
  'MANIQA is the weighted mean over all crops, drawn on from picture to picture (needs ../shared)',
  async (t) => {
    const seen: number[] = [];
    const meter = await startWith(maniqa, ({ x }) => {
      const first = Number(x!.data[0]);
      seen.push(first);
      return {
        scores: float32([1, 2, 1], [first, 1]),
        weights: float32([1, 2, 1], [first + 1, 0.5]),
      };
    });
    const picture = texture(300, 260, 1, 9);
    const choose = randomCrops();
    for (let i = 0; i < 2; i++) {
      const got = await meter.add(picture, undefined);
      const corners = choose(260, 300).map(({ top, left }) =>
        Math.fround(2 * Math.fround(picture.data[(top * 300 + left) * 3]! / 255) - 1),
      );
      t.deepEqual(seen.splice(0), corners);
      const [scores, weights] = [
        corners.reduce((sum, v) => sum + v * Math.fround(v + 1) + 0.5, 0),
        corners.reduce((sum, v) => sum + Math.fround(v + 1) + 0.5, 0),
      ];
      t.true(Math.abs(got! - scores / weights) < 1e-6);
    }
  },
);

withLists('MUSIQ looks at 449 patches of a picture of 512x512 (needs ../shared)', async (t) => {
  const meter = await startWith(musiq, ({ patches, mask }) => {
    // metrics/musiq.json has 450 tokens_512: these and the one that gathers.
    t.deepEqual(patches!.shape, [449, 3, 32, 32]);
    t.is(
      (mask!.data as Float32Array).reduce((sum, v) => sum + v, 0),
      49 + 144 + 256,
    );
    return { score: float32([1, 1], [61.5]) };
  });
  t.is(await meter.add(texture(512, 512, 1, 9), undefined), 61.5);
});

const lpipsKeys = golden('metrics/keys-lpips-alex.txt');
(lpipsKeys ? test.serial : test.serial.skip)(
  "scores of imported weights are the reference's (needs ../shared)",
  async (t) => {
    emptyStore(t);
    const keys = readKeys(lpipsKeys!).filter(({ fill }) => fill);
    t.deepEqual(await importFilled(t, keys), []);
    t.deepEqual(await importFilled(t, readKeys(golden('metrics/keys-clipiqa-small.txt')!)), []);
    const [result, reference] = await Promise.all(
      ['pair-dist.png', 'pair-ref.png'].map((name) => readRgb(golden(`metrics/${name}`)!)),
    );
    t.true(Math.abs((await score('lpips', result!, reference!)) / 0.04342411085963249 - 1) < 1e-4);
    const picture = await readRgb(golden('metrics/clipiqa-a.png')!);
    t.true(Math.abs((await score('clipiqa', picture, picture)) / 0.8280541300773621 - 1) < 1e-4);
  },
);

test('a score of a set stands in the mean and in no picture', async (t) => {
  const run = ({ x }: Tensors): Tensors => ({
    features: float32(
      [1, 2048],
      Array.from({ length: 2048 }, (_, i) => Number(x!.data[i])),
    ),
  });
  const meter = await startWith(fid, run);
  const { needs: _, start: _start, ...description } = fid;
  const measure: Measure = {
    ...description,
    open: async () => ({ ...meter, total: meter.total! }),
  };
  const entries = [1, 2].map((seed) => ({
    name: `${seed}`,
    result: async () => texture(40, 40, seed, 9),
    reference: async () => texture(40, 40, seed, 0),
  }));
  const evaluation = await evaluate(entries, [measure]);
  const { mean, pictures } = toJson(evaluation, []);
  t.true(mean['fid']! > 0);
  t.deepEqual(pictures, [{ name: '1' }, { name: '2' }]);
  t.is(toCsv(evaluation), 'name\r\n1\r\n2\r\n');
});
