/** @file Parity of the UNet at fixed timesteps and given ones: `vectors/unet.safetensors`. */
import type { Dim } from '../../src/graph/dims.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { scope } from '../../src/graph/scope.ts';
import { sinusoid } from '../../src/networks/timestep.ts';
import { embeddedText, givenText, type TextContext } from '../../src/networks/transformer.ts';
import { unet as buildUnet } from '../../src/networks/unet.ts';
import type { UnetConfig } from '../../src/networks/unet-config.ts';
import type { Model } from '../../src/pipeline/model.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import {
  arraysOf,
  bothForms,
  divides,
  type Folder,
  has,
  modelName,
  modelOf,
  multiple,
  run,
  type Section,
} from './folder.ts';
import { compare } from './row.ts';

export const unet: Section = {
  files: /^vectors\/([a-z0-9]+_)?unet\.safetensors$/,
  inputs: /^\d+\.(z|emb)$/,
  async *rows(folder, file) {
    if (!has(folder, modelName(file))) return;
    const model = await modelOf(folder, modelName(file));
    for (const call of unetCalls(arraysOf(folder, file))) {
      const got = [];
      for (const form of formsFor(call, model.config.generator.unet)) {
        got.push(...(await predict(folder, model, call, form)));
      }
      yield compare(file, call.key, call.eps, got, folder.tolerance);
    }
  },
};

/** One reference: noise predicted at one timestep, or at one for each sample. */
export interface UnetCall {
  readonly key: string;
  readonly z: Tensor;
  /** Absent where prompts have no part in the model. */
  readonly emb: Tensor | undefined;
  readonly timesteps: readonly number[];
  readonly eps: Tensor;
}

/** The calls in a file of vectors, by the keys `<i>.eps_t<timestep>`. */
export function* unetCalls(arrays: ReadonlyMap<string, Tensor>): Generator<UnetCall> {
  for (const [key, eps] of arrays) {
    const [, i, times] = /^(\d+)\.eps((?:_t\d+)+)$/.exec(key) ?? [];
    const [z, emb] = [arrays.get(`${i}.z`), arrays.get(`${i}.emb`)];
    if (!times || !z) continue;
    const timesteps = times.slice(2).split('_t').map(Number);
    yield { key, z, emb, timesteps, eps };
  }
}

/** A graph for inference or training, for the call's own size or for every size. */
export interface UnetForm {
  readonly training: boolean;
  readonly symbolic: boolean;
}

function formsFor({ z }: UnetCall, { blockOutChannels }: UnetConfig): UnetForm[] {
  const forms: UnetForm[] = bothForms.map(({ training }) => ({ training, symbolic: false }));
  const even = 2 ** (blockOutChannels.length - 1);
  if (divides(even, ...z.shape.slice(2))) forms.push({ training: false, symbolic: true });
  return forms;
}

/** The noise with sinusoids given and, for one timestep, with the timestep folded in. */
export async function predict(
  folder: Folder,
  model: Model,
  { z, emb, timesteps }: UnetCall,
  { training, symbolic }: UnetForm,
): Promise<Tensor[]> {
  const config = model.config.generator.unet;
  const even = 2 ** (config.blockOutChannels.length - 1);
  const width = config.blockOutChannels[0]!;
  const t = float32(
    [timesteps.length, width],
    timesteps.flatMap((time) => [...sinusoid(time, width, config.sinusoid)]),
  );
  const shape = (x: Tensor): readonly Dim[] => (symbolic ? ['n', ...x.shape.slice(1)] : x.shape);
  const build = (graph: Graph): void => {
    const s = scope(graph, 'unet');
    const [n, channels] = shape(z);
    const dims = symbolic ? [n!, channels!, multiple(even, 'h'), multiple(even, 'w')] : z.shape;
    const latents = graph.input('z', 'float32', dims);
    const text = textOf(graph, emb, n!);
    const many = timesteps.length > 1;
    const given = graph.input('t', 'float32', many ? shape(t) : t.shape);
    graph.output('given', buildUnet(s, latents, given, text, config));
    if (!many) graph.output('fixed', buildUnet(s, latents, timesteps[0]!, text, config));
  };
  return Object.values(
    await run(folder, model, { training }, { z, t, ...(emb ? { emb } : {}) }, build),
  );
}

/** The text as an input `emb` of the graph; one that nothing asks for where there is none. */
export function textOf(graph: Graph, emb: Tensor | undefined, batch: Dim): TextContext {
  if (!emb) return givenText(batch, 1);
  return embeddedText(graph.input('emb', 'float32', [batch, ...emb.shape.slice(1)]));
}
