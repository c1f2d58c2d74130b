/** @file `osediff evaluate`: scores pictures, or the upscaler on pictures, by the paper's measures. */
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { readPicture } from '../../image/codec.ts';
import { explainPathError } from '../../image/path-errors.ts';
import { writeFileSafely } from '../../image/safe-write.ts';
import { catalogue, chooseMeasures } from '../../measures/catalogue.ts';
import { type Entry, evaluate, type Evaluation } from '../../measures/evaluate.ts';
import { toHtml } from '../../measures/html.ts';
import type { Measure } from '../../measures/measure.ts';
import type { Runner } from '../../measures/network.ts';
import type { Networks } from '../../measures/network-measure.ts';
import { loadPrior } from '../../measures/niqe-folder.ts';
import { type PageImage, pageImage } from '../../measures/page-image.ts';
import { type Pair, pairFolders, readRgb, requireSizes } from '../../measures/pairs.ts';
import { installedParts } from '../../measures/part-store.ts';
import { promptsJson, promptsTable } from '../../measures/prompts-report.ts';
import { toCsv, toJson, toTable } from '../../measures/report.ts';
import { type Rgb, toRgb } from '../../measures/rgb.ts';
import { type Choice, chooseDevice } from '../../pipeline/device.ts';
import { captioned, readSidecar } from '../../pipeline/sidecar.ts';
import type { ColorFix, PromptSource, Upscaler, UpscalerOptions } from '../../pipeline/types.ts';
import { providerOf } from '../../runtime/provider.ts';
import { PathError, UsageError } from '../../tensor/errors.ts';
import { countReporter } from '../count-report.ts';
import { interruptSignal } from '../interrupt.ts';
import { tellPrompts } from '../prompt-line.ts';
import { device, type Lora, lora, numberBetween } from '../parse.ts';

/** Loads a model: `loadUpscaler`, unless a test brings its own. */
export type Load = (options: UpscalerOptions) => Promise<Upscaler>;

interface Flags {
  readonly lr?: string;
  readonly sr?: string;
  readonly hr?: string;
  readonly measures?: string;
  readonly niqePrior?: string;
  readonly scale: number;
  readonly model: string;
  readonly lora?: readonly Lora[];
  readonly prompt?: string;
  readonly promptFrom?: readonly Source[];
  readonly color: ColorFix;
  readonly device: string;
  readonly precision: 'fp32' | 'fp16';
  readonly csv?: string;
  readonly html?: string;
  readonly overwrite?: true;
  readonly json?: true;
}

/** Where prompts come from. */
type Source = PromptSource | 'file';

const loadModel: Load = async (options) => {
  const { loadUpscaler } = await import('../../pipeline/upscaler.ts');
  const upscaler = await loadUpscaler(options);
  tellPrompts(upscaler.model);
  return upscaler;
};

/** `dape`, `file` and `none`, each at most once, with commas between. */
function promptSources(text: string): readonly Source[] {
  const known: readonly string[] = ['dape', 'file', 'none'];
  const list = text.split(',').map((name) => name.trim());
  if (list.some((name) => !known.includes(name)) || new Set(list).size < list.length) {
    throw new InvalidArgumentError(`Expected ${known.join(', ')}, or several of them.`);
  }
  return list as Source[];
}

/** Add the command to a program. */
export function addEvaluate(program: Command, load: Load = loadModel): void {
  program
    .command('evaluate')
    .description("score pictures by the nine measures of the paper's table, and others")
    .option('--lr <folder>', 'small pictures, to be upscaled and scored')
    .option('--sr <folder>', 'finished pictures, to be scored as they are')
    .option('--hr <folder>', 'the references: pictures of the same names')
    .option('--measures <list>', 'names with commas between, "paper" or "all" (default: paper)')
    .option('--niqe-prior <path>', 'an .npz file, or a folder of pristine pictures to fit one on')
    .option('--scale <factor>', 'with --lr: output size over input size', numberBetween(1, 16), 4)
    .option('--model <name>', 'with --lr: an installed model', 'compact')
    .option('--lora <file[:strength]>', 'with --lr: merge a LoRA; may be repeated', lora)
    .option('--prompt <text>', 'with --lr: what the pictures show')
    .option(
      '--prompt-from <list>',
      'with --lr: dape, file or none, as of "upscale"; several, with commas between, are compared',
      promptSources,
    )
    .addOption(choice('--color <method>', 'match colours', ['adain', 'wavelet', 'none']))
    .option('--device <device>', 'auto, cpu, cuda, cuda:N or webgpu', device, 'auto')
    .addOption(choice('--precision <type>', 'arithmetic of the networks', ['fp32', 'fp16']))
    .option('--csv <file>', 'write the scores of every picture as CSV')
    .option('--html <file>', 'write a page with the worst and best pictures side by side')
    .option('--overwrite', 'replace existing files')
    .option('--json', 'print one JSON object')
    .action((flags: Flags) => evaluateFolders(flags, load));
}

function choice(flag: string, text: string, values: readonly [string, ...string[]]): Option {
  return new Option(flag, `with --lr: ${text}`).choices(values).default(values[0]);
}

async function evaluateFolders(flags: Flags, load: Load): Promise<void> {
  const { lr, sr, hr, csv, html, overwrite = false } = flags;
  const folder = lr ?? sr;
  if (folder === undefined || (lr !== undefined && sr !== undefined)) {
    throw new UsageError(
      `evaluate: expected one of --lr and --sr, got ${folder === undefined ? 'none' : 'both'}.`,
    );
  }
  if (flags.promptFrom && lr === undefined) {
    throw new UsageError('--prompt-from: expected --lr beside it, got finished pictures.');
  }
  if ((flags.promptFrom?.length ?? 1) > 1 && (csv !== undefined || html !== undefined)) {
    throw new UsageError('--prompt-from: expected one source for --csv and --html, got several.');
  }
  const prior = flags.niqePrior === undefined ? undefined : await loadPrior(flags.niqePrior);
  const { chosen, missing } = chooseMeasures(
    flags.measures,
    catalogue(prior, await networks(flags)),
    hr !== undefined,
  );
  const pairs = await pairFolders(folder, hr);
  await requireSizes(pairs, lr === undefined ? 1 : flags.scale);
  for (const file of [csv, html]) if (file !== undefined) await requireFree(file, overwrite);

  const sources: readonly (Source | undefined)[] = flags.promptFrom ?? [undefined];
  if (sources.includes('file')) for (const { result } of pairs) await readSidecar(result);
  const run = { flags, load, pairs, chosen, signal: interruptSignal() };
  const scored: Scored[] = [];
  for (const source of sources) scored.push(await scorePairs(run, source));
  const [first] = scored as [Scored];

  const lacking = missing.map(({ title, lacks }) => `${title} left out: lacks ${lacks}\n`);
  if (flags.json) process.stderr.write(lacking.join(''));
  process.stdout.write(
    `${sources.length > 1 ? several(scored, missing, flags) : one(first, missing, flags)}\n`,
  );
  if (csv !== undefined)
    await writeFileSafely(csv, Buffer.from(toCsv(first.evaluation)), { overwrite });
  if (html !== undefined) {
    const title = `${folder}${hr === undefined ? '' : ` against ${hr}`}`;
    const page = await toHtml(first.evaluation, { title, missing }, async (name) => {
      const { result, reference } = pairs.find((pair) => pair.name === name)!;
      return {
        result: first.images.get(name) ?? (await pageImage(await readRgb(result))),
        reference: reference === undefined ? undefined : await pageImage(await readRgb(reference)),
      };
    });
    await writeFileSafely(html, Buffer.from(page), { overwrite });
  }
}

function one({ evaluation }: Scored, missing: readonly Measure[], { json }: Flags): string {
  return json ? JSON.stringify(toJson(evaluation, missing)) : toTable(evaluation, missing);
}

function several(scored: readonly Scored[], missing: readonly Measure[], { json }: Flags): string {
  const byPrompt = new Map(scored.map(({ source, evaluation }) => [source!, evaluation]));
  return json ? JSON.stringify(promptsJson(byPrompt, missing)) : promptsTable(byPrompt, missing);
}

/** What is scored, and how. */
interface Run {
  readonly flags: Flags;
  readonly load: Load;
  readonly pairs: readonly Pair[];
  readonly chosen: readonly Measure[];
  readonly signal: AbortSignal;
}

/** What came of one kind of prompt. */
interface Scored {
  readonly source: Source | undefined;
  readonly evaluation: Evaluation;
  /** Upscaled pictures for the page, by name. */
  readonly images: ReadonlyMap<string, PageImage>;
}

/** Scores all pairs, whose results are upscaled first where they are small ones. */
async function scorePairs(
  { flags, load, pairs, chosen, signal }: Run,
  source: Source | undefined,
): Promise<Scored> {
  const reporter = countReporter();
  const upscaler = flags.lr === undefined ? undefined : await load(upscalerOptions(flags, source));
  try {
    const images = new Map<string, PageImage>();
    const read = upscaler ? upscaling(upscaler, flags, source, signal) : readRgb;
    const entries = pairs.map(({ name, result, reference }): Entry => {
      const keep = async (): Promise<Rgb> => {
        const rgb = await read(result);
        // Upscaled ones exist nowhere else, and might take minutes to make again.
        if (upscaler && flags.html !== undefined) images.set(name, await pageImage(rgb));
        return rgb;
      };
      return { name, result: keep, ...(reference && { reference: () => readRgb(reference) }) };
    });
    const label = source === undefined ? '' : `${source}: `;
    const evaluation = await evaluate(entries, chosen, {
      onPicture: (done, total, { name }) => reporter.onCount(done, total, `${label}${name}`),
      signal,
    });
    return { source, evaluation, images };
  } finally {
    reporter.end();
    await upscaler?.dispose();
  }
}

/** The imported parts of measures, and how their networks run: the device is tried when one does. */
async function networks({ device: wish }: Flags): Promise<Networks> {
  let choosing: Promise<Choice> | undefined;
  const device = async (): Promise<string> => (await (choosing ??= chooseDevice(wish))).device;
  const runner: Runner = {
    provider: async () => providerOf(await device()),
    async compile(graph, weights) {
      const { compile } = await import('../../pipeline/compile.ts');
      return compile(graph, weights, { device: await device(), precision: 'fp32' });
    },
  };
  return { installed: await installedParts(), runner };
}

function upscalerOptions(flags: Flags, source: Source | undefined): UpscalerOptions {
  const { model, device, precision, lora: loras = [] } = flags;
  // A caption takes the place of tags.
  const promptFrom = source === 'file' ? 'none' : source;
  return { model, device, precision, loras, ...(promptFrom !== undefined && { promptFrom }) };
}

/** Reads a small picture and gives the large one, in the bytes that its file would hold. */
function upscaling(
  upscaler: Upscaler,
  { scale, color, prompt }: Flags,
  source: Source | undefined,
  signal: AbortSignal,
): (file: string) => Promise<Rgb> {
  return async (file) => {
    const words = source === 'file' ? captioned(await readSidecar(file), prompt ?? '') : prompt;
    const options = { scale, color, signal, ...(words !== undefined && { prompt: words }) };
    return toRgb(await upscaler.upscale(await readPicture(file), options));
  };
}

/** @throws PathError when `file` exists and may not be replaced, or its folder does not exist. */
async function requireFree(file: string, overwrite: boolean): Promise<void> {
  const folder = dirname(file);
  await stat(folder).catch((error: unknown) => {
    throw explainPathError(error, folder);
  });
  const existing = await stat(file).catch(() => undefined);
  if (existing === undefined || (overwrite && !existing.isDirectory())) return;
  throw new PathError(
    `${file}: expected nothing there yet, got a ${existing.isDirectory() ? 'folder' : 'file'}. ` +
      'Give --overwrite to replace a file, or another name.',
  );
}
