/** @file Holds Algorithm 1 against a folder of reference vectors: `train/`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Algorithm1, algorithm1 } from '../../src/finetune/algorithm1.ts';
import type { Algorithm1Config } from '../../src/finetune/algorithm1-config.ts';
import { type Parameters, parametersOfLora, ranksOfLora } from '../../src/finetune/initial.ts';
import { adapterName, type Ranks } from '../../src/finetune/lora-modules.ts';
import { type Batch, batchFeeds, type StepReport, Trainer } from '../../src/finetune/step.ts';
import { modelConfig } from '../../src/networks/model-config.ts';
import { patchDiscriminator70 } from '../../src/networks/patch-discriminator.ts';
import { lpipsKey, lpipsWidths } from '../../src/networks/vgg-lpips.ts';
import type { Session, Tensors } from '../../src/runtime/session.ts';
import { toFloat32 } from '../../src/tensor/float16.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';
import { readLora } from '../../src/weights/lora-file.ts';
import { openPart, type PartName, readConfigs } from '../../src/weights/model-folder.ts';
import { graphSession } from '../helpers/run-graph.ts';
import { type Arrays, compare, exists, type Line, readArrays } from './lines.ts';

type Float = Tensor<'float32'>;

/** Of each array's largest value, or of a number. */
const relative = 5e-5;
/**
 * Weights after a step: a weight moves by about the learning rate whatever its gradient, and where that
 * is all rounding error so is the direction. So one weight in a hundred of an array, and at least one,
 * is only held to the distance that can be gone; the others to this share of the rate. Of all weights
 * together, one in a thousand is left out.
 */
const shareOfRate = 0.02;
const leftOut = { ofArray: 1e-2, ofAll: 1e-3 };

/** What a run's JSON says. */
interface Run {
  readonly settings: {
    readonly cfg: number;
    readonly lambda_l2: number;
    readonly lambda_lpips: number;
    readonly lambda_vsd: number;
    readonly max_grad_norm: number;
    readonly optimizer: { lr: number; betas: [number, number]; weight_decay: number; eps: number };
    readonly as_run: boolean;
  };
  readonly float32: readonly {
    readonly losses: Readonly<Record<string, number>>;
    readonly norms: Readonly<Record<string, number>>;
  }[];
}

/** Every loss, gradient and weight of `train/` in the folder; nothing where it has none. */
export async function* parityTrain(folder: string): AsyncGenerator<Line> {
  for (const name of ['algorithm1', 'algorithm1_as_run']) {
    if (await exists(join(folder, `train/${name}.json`))) yield* run(folder, name);
  }
}

async function* run(folder: string, name: string): AsyncGenerator<Line> {
  const file = `train/${name}.safetensors`;
  const arrays = await readArrays(join(folder, file));
  const inputs = new Map(arrays);
  // Both runs are of the same batches, which only the first one's file has to hold.
  for (const [key, value] of await readArrays(join(folder, 'train/algorithm1.safetensors'))) {
    const given = key.startsWith('start.') || /^\d+\.data\./.test(key);
    if (given && !arrays.has(key)) inputs.set(key, value);
  }
  const json = JSON.parse(await readFile(join(folder, `train/${name}.json`), 'utf8')) as Run;
  const { settings } = json;
  const setup = await prepare(folder, inputs, settings);
  const { trainer } = setup;
  for (const [i, expected] of json.float32.entries()) {
    const batch = batchOf(inputs, i);
    const middle = await setup.look(batch);
    for (const [key, value] of below(arrays, `${i}.middle.`)) {
      yield compare({
        file,
        key: `${i}.middle.${key}`,
        expected: value,
        got: middle[key],
        relative,
      });
    }
    const wanted = below(arrays, `${i}.grad.`);
    const { gradients } = wanted.length > 0 ? await trainer.gradients(batch) : { gradients: null };
    for (const [key, value] of wanted) {
      const data = gradients!.get(ownName(key));
      const got = data && { dtype: 'float32' as const, shape: value.shape, data };
      yield compare({ file, key: `${i}.grad.${key}`, expected: value, got, relative });
    }
    const report = await trainer.step([batch], settings.optimizer.lr);
    yield* numbers(`train/${name}.json`, `float32.${i}`, expected, report);
    const rate = settings.optimizer.lr;
    const all: number[] = [];
    for (const [key, value] of below(arrays, `${i}.after.`)) {
      const got = trainer.parameters.get(ownName(key)) ?? setup.start.get(ownName(key));
      const errors = differences(value, got);
      yield weights(file, `${i}.after.${key}`, errors, leftOut.ofArray, rate, i + 1);
      for (const error of errors) all.push(error);
    }
    if (all.length > 0) yield weights(file, `${i}.after`, all, leftOut.ofAll, rate, i + 1);
  }
  await setup.session.release();
}

interface Setup {
  readonly session: Session;
  readonly trainer: Trainer;
  /** Values before the first step, of what is not trained too. */
  readonly start: Parameters;
  /** Values in the middle of a step, by the names of the file. */
  look(batch: Batch): Promise<Tensors>;
}

async function prepare(folder: string, arrays: Arrays, settings: Run['settings']): Promise<Setup> {
  const model = join(folder, 'models/tiny');
  const json = await readConfigs(model);
  const { generator } = modelConfig({
    unet: json.parts.get('unet')!,
    vae: json.parts.get('vae')!,
    textEncoder: json.parts.get('text_encoder'),
    scheduler: json.scheduler,
    own: json.own,
  });
  const vgg = new Map(
    [...(await readArrays(join(folder, 'train/lpips_thin_weights.safetensors')))].flatMap(
      ([key, value]) => (lpipsKey(key) ? [[lpipsKey(key)!, value] as const] : []),
    ),
  );
  const lora = await readLora(join(folder, 'lora/osediff.pkl'));
  const start = parametersOfLora(lora);
  const regularizer = new Map<string, { rank: number; scale: number }>();
  for (const [key, value] of below(arrays, 'start.reg.')) {
    start.set(ownName(`reg.${key}`), { ...value, data: value.data.slice() });
    const path = /^(.*)\.lora_A\./.exec(key)?.[1];
    // PEFT's default alpha is 8.
    if (path)
      regularizer.set(`unet.${path}`, { rank: value.shape[0]!, scale: 8 / value.shape[0]! });
  }
  const [batch, , height, width] = arrays.get('0.data.x_l')!.shape as [
    number,
    number,
    number,
    number,
  ];
  const config: Algorithm1Config = {
    generator,
    batch,
    height,
    width,
    tokens: arrays.get('0.data.emb')!.shape[1]!,
    factors: {
      l2: settings.lambda_l2,
      perceptual: settings.lambda_lpips,
      vsd: settings.lambda_vsd,
      gan: 0,
    },
    perceptual: { kind: 'lpips', widths: lpipsWidths((key) => vgg.get(key)?.shape) },
    vsdDomain: 'latent',
    guidance: settings.cfg,
    discriminator: patchDiscriminator70,
    ranks: ranksOfLora(lora),
    regularizer: settings.as_run ? othersOnly(regularizer) : regularizer,
    trained: (key) => lora.replaced.has(key),
    samplePosterior: false,
  };
  const plan = algorithm1(config);
  const middle = middleValues(plan);
  for (const [name, value] of Object.entries(middle)) plan.graph.output(name, value);
  const base = new Map<string, Float>();
  for (const part of ['unet', 'vae'] satisfies PartName[]) {
    const source = await openPart(model, part);
    for (const key of source.entries.keys()) {
      base.set(`${part}.${key}`, toFloat32(await source.read(key)));
    }
    await source.close();
  }
  for (const [key, value] of vgg) base.set(`lpips.${key}`, value);
  const session = await graphSession(plan.graph, base);
  const { betas, weight_decay: weightDecay, eps: epsilon } = settings.optimizer;
  const trainer = new Trainer(session, plan, config, start, {
    optimizer: { betas, weightDecay, epsilon },
    maxNorm: settings.max_grad_norm,
    asPublished: settings.as_run,
  });
  const look = (of: Batch): Promise<Tensors> =>
    session.run(
      { ...batchFeeds(of, config), ...Object.fromEntries(trainer.parameters) },
      Object.keys(middle),
    );
  return { session, trainer, start, look };
}

/** The official program leaves the last of its regularizer's adapters switched on. */
function othersOnly(ranks: Ranks): Ranks {
  return new Map([...ranks].filter(([path]) => adapterName(path) === 'default_others'));
}

function middleValues({ generated, vsd }: Algorithm1) {
  const clamped = generated.xH.node!.inputs[0]!.node!;
  return {
    z_l: generated.zL,
    eps: generated.eps,
    z_h: generated.zH,
    x_h_unclamped: clamped.inputs[0]!,
    x_h: generated.xH,
    z_t: vsd!.zT,
    x0_update: vsd!.x0Update,
    x0_fix: vsd!.x0Fix,
    vsd_weight: vsd!.weight,
    vsd_grad: vsd!.push,
  };
}

function batchOf(arrays: Arrays, i: number): Batch {
  const get = (name: string): Float => arrays.get(`${i}.data.${name}`)!;
  return {
    xL: get('x_l'),
    xGt: get('x_gt'),
    text: get('emb'),
    negative: get('neg'),
    vsd: { timesteps: [...get('vsd_t').data], noise: get('vsd_noise') },
    diff: { timesteps: [...get('diff_t').data], noise: get('diff_noise') },
  };
}

/** A parameter's name here: no `base_layer`, and adapters by our rule. */
function ownName(key: string): string {
  const lora = /^(unet|vae|reg)\.(.+)\.lora_([AB])\.[^.]+\.weight$/.exec(key);
  if (!lora) return key.replace('.base_layer', '');
  const [, part, path, factor] = lora;
  const adapter = adapterName(`${part === 'reg' ? 'unet' : part}.${path}`);
  return `${part}.${path}.lora_${factor}.${adapter}.weight`;
}

function below(arrays: Arrays, prefix: string): [string, Float][] {
  return [...arrays].flatMap(([key, value]) =>
    key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [],
  );
}

function* numbers(
  file: string,
  prefix: string,
  { losses, norms }: Run['float32'][number],
  report: StepReport,
): Generator<Line> {
  const got = {
    losses: { ...report.losses, lpips: report.losses.perceptual },
    norms: { gen: report.norms.generator, reg: report.norms.regularizer },
  } as Record<'losses' | 'norms', Record<string, number | undefined>>;
  for (const [kind, values] of Object.entries({ losses, norms })) {
    for (const [key, value] of Object.entries(values)) {
      const own = got[kind as 'losses'][key];
      yield compare({
        file,
        key: `${prefix}.${kind}.${key}`,
        expected: float32([], [value]),
        got: own === undefined ? undefined : float32([], [own]),
        relative,
      });
    }
  }
}

/** Of each element; infinite where there is none. */
function differences(expected: Float, got: Float | undefined): number[] {
  const same = got?.data.length === expected.data.length;
  return Array.from(expected.data, (value, i) =>
    same ? Math.abs(value - got.data[i]!) : Number.POSITIVE_INFINITY,
  );
}

/** See {@link shareOfRate}. */
function weights(
  file: string,
  key: string,
  errors: readonly number[],
  share: number,
  rate: number,
  steps: number,
): Line {
  const sorted = Float64Array.from(errors).sort(); // NaN last
  const left = sorted.length - Math.max(1, Math.floor(share * sorted.length));
  const error = sorted[Math.max(0, left - 1)]!;
  const tolerance = shareOfRate * rate;
  const possible = sorted.at(-1)! <= 2.1 * rate * steps; // false for NaN too
  return { status: error <= tolerance && possible ? 'ok' : 'FAIL', file, key, error, tolerance };
}
