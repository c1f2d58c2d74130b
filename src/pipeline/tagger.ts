/** @file Names what a picture shows, with the RAM tagger and DAPE (OSEDiff's `get_validation_prompt`). */
import { freemem } from 'node:os';
import { Graph } from '../graph/graph.ts';
import { scope } from '../graph/scope.ts';
import { tapsOf } from '../image/interpolate.ts';
import { colorChannels, fullScale } from '../image/picture.ts';
import { swinTagger } from '../networks/swin-tagger.ts';
import { type Provider, providerOf } from '../runtime/provider.ts';
import type { Session } from '../runtime/session.ts';
import { elementCount, tensor, type Tensor } from '../tensor/tensor.ts';
import { chooseTags, type ChosenTag } from '../text/tags.ts';
import { compile, type CompileOptions } from './compile.ts';
import type { RowSource } from './rows.ts';
import { openTaggerModel, type TaggerModel } from './tagger-model.ts';

/** A tagger at work. */
export interface Tagger {
  /** What a picture shows, in the order of the tagger's list. */
  tag(picture: RowSource): Promise<readonly ChosenTag[]>;
  release(): Promise<void>;
}

/** ImageNet's mean and deviation, channel by channel. */
const mean = [0.485, 0.456, 0.406];
const deviation = [0.229, 0.224, 0.225];

/** Memory is short when less than this many times the tagger's own is free: what comes next is larger. */
const roomBeside = 4;

/**
 * Opens the tagger of that name. Its network is prepared when a picture comes, and let go after one
 * when memory is short.
 *
 * @param free bytes of memory that nobody uses
 * @throws PathError when there is none
 */
export async function openTagger(
  name: string | undefined,
  options: CompileOptions,
  free: () => number = freemem,
): Promise<Tagger> {
  const model = await openTaggerModel(name);
  const graph = taggerGraph(model, providerOf(options.device));
  let session: Session | undefined;
  const unload = async (): Promise<void> => {
    await session?.release();
    session = undefined;
  };
  return {
    async tag(picture) {
      session ??= await compile(graph, model, options);
      const { logits } = await session.run({ x: taggerInput(picture, model.config.imageSize) });
      if (free() < roomBeside * weightBytes(graph)) await unload();
      return chooseTags(logits!.data as Float32Array, model.lists);
    },
    async release() {
      await unload();
      await model.close();
    },
  };
}

function weightBytes({ weights }: Graph): number {
  return [...weights.values()].reduce(
    (sum, { weight }) => sum + 4 * elementCount(weight!.shape),
    0,
  );
}

function taggerGraph({ config }: TaggerModel, device: Provider): Graph {
  const graph = new Graph({ device });
  const { imageSize } = config;
  const x = graph.input('x', 'float32', [1, 3, imageSize, imageSize]);
  graph.output('logits', swinTagger(scope(graph, ''), x, config).logits);
  return graph;
}

/**
 * A picture as the tagger sees it: squeezed to a square by plain bilinear interpolation, without
 * antialiasing (as the official program does, so that large pictures are sampled sparsely), then by
 * ImageNet's mean and deviation.
 *
 * @returns `[1, 3, side, side]`
 */
export function taggerInput(picture: RowSource, side: number): Tensor<'float32'> {
  const { width, height } = picture;
  const [rows, columns] = [tapsOf('bilinear', height, side), tapsOf('bilinear', width, side)];
  const out = new Float32Array(3 * side * side);
  for (let y = 0; y < side; y++) {
    const [top, bottom] = [rows.index[2 * y]!, rows.index[2 * y + 1]!];
    const { data, channels, ...two } = picture.color(top, bottom + 1);
    const down = rows.weight[2 * y + 1]!;
    const next = two.width * channels * (bottom - top); // from the upper row to the lower
    const step = colorChannels({ ...two, data, channels }) === 3 ? 1 : 0;
    const scale = fullScale(data);
    for (let x = 0; x < side; x++) {
      const [left, right] = [
        columns.index[2 * x]! * channels,
        columns.index[2 * x + 1]! * channels,
      ];
      const across = columns.weight[2 * x + 1]!;
      for (let c = 0; c < 3; c++) {
        const [l, r] = [left + c * step, right + c * step];
        const above = data[l]! * (1 - across) + data[r]! * across;
        const below = data[next + l]! * (1 - across) + data[next + r]! * across;
        const value = (above * (1 - down) + below * down) / scale;
        out[(c * side + y) * side + x] = (value - mean[c]!) / deviation[c]!;
      }
    }
  }
  return tensor('float32', [1, 3, side, side], out);
}
