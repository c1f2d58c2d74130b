/** @file Holds gradients of the networks against a folder of reference vectors: `gradients/`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gradients } from '../../src/autodiff/backward.ts';
import { add, meanAll, mul, sum } from '../../src/graph/functions.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { type ModelConfig, modelConfig } from '../../src/networks/model-config.ts';
import { sinusoid } from '../../src/networks/timestep.ts';
import { embeddedText } from '../../src/networks/transformer.ts';
import { unet } from '../../src/networks/unet.ts';
import { decode, encodeMoments, splitMoments } from '../../src/networks/vae.ts';
import { lpips, lpipsKey, lpipsWidths } from '../../src/networks/vgg-lpips.ts';
import type { Tensors } from '../../src/runtime/session.ts';
import { toFloat32 } from '../../src/tensor/float16.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { openPart, type PartName, readConfigs } from '../../src/weights/model-folder.ts';
import { currentName } from '../../src/weights/names.ts';
import { runGraph } from '../helpers/run-graph.ts';
import { type Arrays, compare, exists, type Line, readArrays } from './lines.ts';

/** Of each array's largest value. */
const relative = 1e-4;
/** Where the gradient is zero in exact arithmetic. */
const absolute = 1e-4;

/** A network built on the inputs of its file. */
interface Built {
  readonly part: PartName;
  /** By the name that the file gives them: `in.z` is `z`. */
  readonly inputs: Readonly<Record<string, Value>>;
  readonly outputs: Readonly<Record<string, Value>>;
  /** What the graph takes beside the file's inputs. */
  readonly feeds: Tensors;
}

type Build = (graph: Graph, arrays: Arrays, config: ModelConfig['generator']) => Built;

const builds: Readonly<Record<string, Build>> = {
  unet: (graph, arrays, config) => {
    const [z, emb] = [input(graph, arrays, 'z'), input(graph, arrays, 'emb')];
    const width = config.unet.blockOutChannels[0]!;
    const rows = [...arrays.get('timesteps')!.data].map((t) =>
      sinusoid(t, width, config.unet.sinusoid),
    );
    const t = graph.input('t', 'float32', [rows.length, width]);
    const eps = unet(scope(graph, 'unet'), z, t, embeddedText(emb), config.unet);
    const sinusoids = float32(
      [rows.length, width],
      rows.flatMap((row) => [...row]),
    );
    return { part: 'unet', inputs: { z, emb }, outputs: { eps }, feeds: { t: sinusoids } };
  },
  vae_encoder: (graph, arrays, { vae }) => {
    const x = input(graph, arrays, 'x');
    const outputs = splitMoments(encodeMoments(scope(graph, 'vae'), x, vae));
    return { part: 'vae', inputs: { x }, outputs: { ...outputs }, feeds: {} };
  },
  vae_decoder: (graph, arrays, { vae }) => {
    const z = input(graph, arrays, 'z');
    const x = decode(scope(graph, 'vae'), z, vae);
    return { part: 'vae', inputs: { z }, outputs: { x }, feeds: {} };
  },
};

/** Every gradient of `gradients/` in the folder; nothing where it has none. */
export async function* parityGradients(folder: string): AsyncGenerator<Line> {
  for (const [name, build] of Object.entries(builds)) {
    const file = `gradients/${name}.safetensors`;
    if (await exists(join(folder, file))) yield* moduleGradients(folder, file, build);
  }
  const file = 'gradients/lpips_thin.safetensors';
  if (await exists(join(folder, file))) yield* lpipsGradient(folder, file);
}

async function* moduleGradients(folder: string, file: string, build: Build): AsyncGenerator<Line> {
  const arrays = await readArrays(join(folder, file));
  const model = join(folder, 'models/tiny');
  const json = await readConfigs(model);
  const { generator } = modelConfig({
    unet: json.parts.get('unet')!,
    vae: json.parts.get('vae')!,
    textEncoder: json.parts.get('text_encoder'),
    scheduler: json.scheduler,
    own: json.own,
  });
  const graph = new Graph({ training: true }, () => true);
  const { part, inputs, outputs, feeds } = build(graph, arrays, generator);
  const weighted = Object.entries(outputs).map(([name, value]) =>
    total(mul(value, input(graph, arrays, name, 'w'))),
  );
  const loss = weighted.reduce((sums, one) => add(sums, one));
  graph.output('loss', loss);
  const given = new Set([...Object.values(inputs).map(({ name }) => name), ...Object.keys(feeds)]);
  const parameters = graph.inputs.filter(
    ({ name }) => !given.has(name) && name.startsWith(`${part}.`),
  );
  const wrt = [...Object.values(inputs), ...parameters];
  const keys = [
    ...Object.keys(inputs).map((name) => `d_in.${name}`),
    ...parameters.map(({ name }) => `d.${name.slice(part.length + 1)}`),
  ];
  gradients(loss, wrt).forEach((gradient, i) => graph.output(keys[i]!, gradient));
  const all: Record<string, Tensor> = { ...feeds };
  for (const [name, array] of arrays) if (/^(in|w)\./.test(name)) all[name] = array;
  const weights = await openPart(model, part);
  for (const { name } of parameters) {
    all[name] = toFloat32(await weights.read(name.slice(part.length + 1)));
  }
  await weights.close();
  const results = await runGraph(graph, all);
  const zero = await exactlyZero(folder, file);
  for (const [key, expected] of arrays) {
    if (key !== 'loss' && !/^d(_in)?\./.test(key)) continue;
    const got = results[key] ?? results[currentName(key)];
    const bound = zero.has(key) ? { absolute } : { relative };
    yield compare({ file, key, expected, got, ...bound });
  }
}

async function* lpipsGradient(folder: string, file: string): AsyncGenerator<Line> {
  const arrays = await readArrays(join(folder, file));
  const stored = await readArrays(join(folder, 'train/lpips_thin_weights.safetensors'));
  const weights = new Map(
    [...stored].flatMap(([key, array]) => {
      const name = lpipsKey(key);
      return name === undefined ? [] : [[name, array] as const];
    }),
  );
  const graph = new Graph({ training: true });
  const [a, b] = ['a', 'b'].map((name) =>
    graph.input(name, 'float32', arrays.get(name)!.shape),
  ) as [Value, Value];
  const widths = lpipsWidths((key) => weights.get(key)?.shape);
  const { distance, stages } = lpips(scope(graph, ''), a, b, widths);
  graph.output('distance', distance);
  stages.forEach((stage, i) => graph.output(`layer.${i}`, stage));
  graph.output('d_a_of_mean', gradients(meanAll(distance), [a])[0]!);
  const results = await runGraph(graph, { a: arrays.get('a')!, b: arrays.get('b')! }, weights);
  for (const [key, expected] of arrays) {
    if (key === 'a' || key === 'b') continue;
    yield compare({ file, key, expected, got: results[key], relative });
  }
}

function input(graph: Graph, arrays: Arrays, name: string, kind = 'in'): Value {
  const key = `${kind}.${name}`;
  return graph.input(key, 'float32', arrays.get(key)!.shape);
}

function total(x: Value): Value {
  const axes = x.shape.map((_, axis) => axis);
  return sum(x, axes, false);
}

/** Keys of a file whose arrays are nothing but rounding errors. */
async function exactlyZero(folder: string, file: string): Promise<ReadonlySet<string>> {
  const path = join(folder, 'tolerances.json');
  if (!(await exists(path))) return new Set();
  const json = JSON.parse(await readFile(path, 'utf8')) as Record<
    string,
    { exactly_zero?: string[] }
  >;
  return new Set(json[file]?.exactly_zero);
}
