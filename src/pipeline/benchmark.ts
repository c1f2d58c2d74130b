/** @file Measures a model on this machine as the paper's Table 2 does: part by part, and file to file. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { multiplyAdds } from '../graph/count.ts';
import { Graph } from '../graph/graph.ts';
import { type Scope, scope } from '../graph/scope.ts';
import { clipText } from '../networks/clip-text.ts';
import { decodeLatents, encodeLatents, latentReduction } from '../networks/osediff.ts';
import { givenText } from '../networks/transformer.ts';
import { unet } from '../networks/unet.ts';
import { readPicture, writePicture } from '../image/codec.ts';
import { type Provider, providerOf } from '../runtime/provider.ts';
import type { Tensors } from '../runtime/session.ts';
import { elementCount, type Tensor, tensor, zeros } from '../tensor/tensor.ts';
import { compile, type CompileOptions } from './compile.ts';
import { chooseDevice } from './device.ts';
import { type Model, openModel, requiredShapes } from './model.ts';
import { loadUpscaler } from './upscaler.ts';

/** What is to be measured. */
export interface BenchmarkOptions {
  readonly model: string;
  /** Edge of the output in pixels, four times that of the input. */
  readonly size: number;
  readonly device: string;
  readonly precision: 'fp32' | 'fp16';
  /** Timed runs of each part, after one that warms up. */
  readonly runs: number;
  readonly onPart?: (name: string) => void;
}

/** One part of the model. */
export interface PartFigures {
  readonly name: 'text' | 'encoder' | 'unet' | 'decoder';
  /** Median of its runs. */
  readonly seconds: number;
  readonly parameters: number;
  readonly multiplyAdds: number;
}

export interface Figures {
  readonly model: string;
  readonly device: string;
  readonly precision: string;
  readonly size: number;
  readonly steps: 1;
  readonly parts: readonly PartFigures[];
  /** Of the parts together; the prompt's is paid once for all pictures with it. */
  readonly forwardSeconds: number;
  /** From a PNG to a PNG, the model being open; median. */
  readonly fileSeconds: number;
  readonly parameters: number;
  readonly multiplyAdds: number;
  /** Most memory resident at once in the process; of a GPU's own nothing is known. */
  readonly peakBytes: number;
}

/**
 * Measures. Each part runs alone, one after the other.
 *
 * @throws what opening the model and choosing the device throw
 */
export async function benchmark(options: BenchmarkOptions): Promise<Figures> {
  const { size, precision } = options;
  const { device } = await chooseDevice(options.device);
  const model = await openModel(options.model);
  const parameters = countParameters(model);
  const parts: PartFigures[] = [];
  try {
    for (const part of partsOf(model, providerOf(device), size)) {
      options.onPart?.(part.name);
      const seconds = await timePart(part, model, { device, precision }, options.runs);
      parts.push({
        name: part.name,
        seconds,
        parameters: parameters[part.name] ?? 0,
        multiplyAdds: multiplyAdds(part.graph),
      });
    }
  } finally {
    await model.close();
  }
  options.onPart?.('file to file');
  const fileSeconds = await timeFiles(options, device);
  const sum = (of: (part: PartFigures) => number): number =>
    parts.reduce((total, part) => total + of(part), 0);
  return {
    model: model.name,
    device,
    precision,
    size,
    steps: 1,
    parts,
    forwardSeconds: sum((part) => part.seconds),
    fileSeconds,
    parameters: sum((part) => part.parameters),
    multiplyAdds: sum((part) => part.multiplyAdds),
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

interface Part {
  readonly name: PartFigures['name'];
  readonly graph: Graph;
}

/** A graph for each part, of fixed size. */
function partsOf({ config }: Model, device: Provider, size: number): readonly Part[] {
  const { generator: g, text } = config;
  const edge = Math.ceil(size / latentReduction(g));
  const pixels = edge * latentReduction(g);
  const part = (name: Part['name'], build: (graph: Graph) => void): Part => {
    const graph = new Graph({ device });
    build(graph);
    return { name, graph };
  };
  const at = (graph: Graph, name: string): Scope => scope(graph, name);
  const x = (graph: Graph) => graph.input('x', 'float32', [1, 3, pixels, pixels]);
  const z = (graph: Graph) => graph.input('z', 'float32', [1, g.vae.latentChannels, edge, edge]);
  return [
    ...(text
      ? [
          part('text', (graph) => {
            const ids = graph.input('ids', 'int64', [1, text.positions]);
            graph.output('y', clipText(at(graph, 'text_encoder'), ids, text));
          }),
        ]
      : []),
    part('encoder', (graph) => graph.output('y', encodeLatents(at(graph, 'vae'), x(graph), g))),
    part('unet', (graph) => {
      const given = givenText(1, text?.positions ?? 1);
      graph.output('y', unet(at(graph, 'unet'), z(graph), g.timestep, given, g.unet));
    }),
    part('decoder', (graph) =>
      graph.output('y', decodeLatents(at(graph, 'vae'), z(graph), x(graph), g)),
    ),
  ];
}

/** Parameters by part, as the checkpoint has them. */
function countParameters({ config }: Model): Partial<Record<PartFigures['name'], number>> {
  const count = (shapes: Iterable<readonly [string, readonly number[]]>): number =>
    [...shapes].reduce((sum, [, shape]) => sum + elementCount(shape), 0);
  const required = requiredShapes(config);
  const vae = [...(required.get('vae') ?? [])];
  const isDecoder = ([key]: readonly [string, unknown]): boolean =>
    /^(decoder|post_quant)/.test(key);
  return {
    text: count(required.get('text_encoder') ?? []),
    encoder: count(vae.filter((entry) => !isDecoder(entry))),
    unet: count(required.get('unet') ?? []),
    decoder: count(vae.filter(isDecoder)),
  };
}

/** Seconds of a run, the median, without the time to prepare. */
async function timePart(
  { graph }: Part,
  model: Model,
  options: CompileOptions,
  runs: number,
): Promise<number> {
  const session = await compile(graph, model, options);
  const feeds: Tensors = Object.fromEntries(
    graph.inputs.map((i) => [i.name, fed(i.dtype, i.shape)]),
  );
  try {
    return await median(runs, async () => void (await session.run(feeds)));
  } finally {
    await session.release();
  }
}

/** Zeros, or waves where numbers are real. */
function fed(dtype: string, dims: readonly unknown[]): Tensor {
  const shape = dims as readonly number[];
  const count = elementCount(shape);
  if (dtype === 'int64') return tensor('int64', shape, new BigInt64Array(count));
  const values = zeros('float32', shape);
  for (let i = 0; i < count; i++) values.data[i] = Math.sin(i / 9);
  return values;
}

/** A picture of soft waves from its file to the file of the result. */
async function timeFiles(
  { model, size, precision, runs }: BenchmarkOptions,
  device: string,
): Promise<number> {
  const edge = Math.max(1, Math.round(size / 4));
  const folder = await mkdtemp(join(tmpdir(), 'osediff-benchmark-'));
  const upscaler = await loadUpscaler({ model, device, precision });
  try {
    const data = Uint8Array.from(
      { length: edge * edge * 3 },
      (_, i) => 128 + 90 * Math.sin(i / 41),
    );
    const [from, to] = [join(folder, 'in.png'), join(folder, 'out.png')];
    await writePicture({ width: edge, height: edge, channels: 3, data }, from, {});
    return await median(runs, async () => {
      const large = await upscaler.upscale(await readPicture(from), { scale: size / edge });
      await writePicture(large, to, { overwrite: true });
    });
  } finally {
    await upscaler.dispose();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Median seconds of `runs` calls, after one that warms up. */
async function median(runs: number, call: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run <= runs; run++) {
    const start = performance.now();
    await call();
    if (run > 0) times.push((performance.now() - start) / 1000);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
}
