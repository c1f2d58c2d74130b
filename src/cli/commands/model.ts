/** @file `osediff model`: imports models into the store, lists, shows, verifies and removes them. */
import { Option, type Command } from 'commander';
import { FormatError, UsageError } from '../../tensor/errors.ts';
import type { Expected, Imported, ImportOptions } from '../../weights/import-model.ts';
import type { Precision } from '../../weights/manifest.ts';
import { countReporter } from '../count-report.ts';
import { oneLine } from '../errors.ts';
import { interruptSignal } from '../interrupt.ts';
import { modelTable, modelText } from '../model-text.ts';
import { numberBetween } from '../parse.ts';

interface ImportFlags {
  readonly kind: 'upscaler' | 'tagger' | 'metric';
  readonly name?: string;
  readonly lora?: readonly string[];
  readonly tags?: string;
  readonly thresholds?: string;
  readonly loraScale?: number;
  readonly precision?: Precision;
  readonly variant?: string;
}

interface JsonFlag {
  readonly json?: true;
}

/** Add the command to a program. */
export function addModel(program: Command): void {
  const model = program.command('model').description('import and look after models');
  model
    .command('import')
    .description(
      'import a model in diffusers layout, such as SD 2.1-base, with its LoRA; a tagger; or a measure',
    )
    .argument(
      '<path>',
      'folder with unet/, vae/, scheduler/, text_encoder/ and tokenizer/; of others, their file',
    )
    .addOption(kindOption())
    .option(
      '--name <name>',
      'what to call it from now on (a tagger: "dape"; measures name themselves)',
    )
    .option(
      '--lora <file>',
      'osediff.pkl, DAPE.pth, or LoRA of PEFT or diffusers; may be repeated',
      collect,
    )
    .option('--lora-scale <number>', 'alpha / rank, where the LoRA does not say', scale)
    .addOption(precisionOption())
    .option('--variant <name>', 'which weights to take, such as fp16, where there are several')
    .option('--tags <file>', 'of a tagger that does not know the published tags: one a line')
    .option('--thresholds <file>', 'and the probability that each must exceed: one a line')
    .action((path: string, flags: ImportFlags) => importOne(path, flags));
  model
    .command('list')
    .description('list imported and bundled models')
    .option('--json', 'print one JSON array')
    .action((flags: JsonFlag) => list(flags));
  model
    .command('info')
    .description('show what a model is and where it came from')
    .argument('<name>', 'its name')
    .option('--json', 'print one JSON object')
    .action((name: string, flags: JsonFlag) => info(name, flags));
  model
    .command('verify')
    .description('hash the files of a model again')
    .argument('<name>', 'its name')
    .action((name: string) => verify(name));
  model
    .command('remove')
    .description('remove an imported model')
    .argument('<name>', 'its name')
    .action((name: string) => remove(name));
}

function kindOption(): Option {
  return new Option('--kind <kind>', 'what the model does')
    .choices(['upscaler', 'tagger', 'metric'])
    .default('upscaler');
}

function precisionOption(): Option {
  return new Option(
    '--precision <type>',
    'number type of the stored weights (default: as they are)',
  ).choices(['fp32', 'fp16']);
}

const scale = numberBetween(1e-6, 1e6);

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

async function importOne(path: string, flags: ImportFlags): Promise<void> {
  const reporter = countReporter();
  const watch = {
    onProgress: (done: number, total: number) => reporter.onCount(done, total, 'weights'),
    signal: interruptSignal(),
  };
  try {
    const importer = { upscaler: importUpscaler, tagger: importTagger, metric: importMetric }[
      flags.kind
    ];
    const { folder, unused } = await importer(path, flags, watch);
    reporter.end();
    if (unused.length > 0) {
      const names = oneLine(unused.join(', '));
      process.stderr.write(`osediff: ${unused.length} weights have no use: ${names}\n`);
    }
    process.stdout.write(`${folder}\n`);
  } finally {
    reporter.end();
  }
}

type Importer = (
  path: string,
  flags: ImportFlags,
  watch: Pick<ImportOptions, 'onProgress' | 'signal'>,
) => Promise<Imported>;

const importUpscaler: Importer = async (dir, flags, watch) => {
  const { importModel } = await import('../../weights/import-model.ts');
  const { name, lora: loras = [], loraScale, precision, variant } = flags;
  refuse(flags, ['tags', 'thresholds']);
  if (name === undefined) {
    throw new UsageError('--name: expected a name for the model, got none. Choose one.');
  }
  const expected = await expectedWeights();
  return importModel(dir, { name, loras, loraScale, precision, variant, expected, ...watch });
};

const importTagger: Importer = async (file, flags, watch) => {
  const { importTagger } = await import('../../pipeline/tagger-model.ts');
  const { name, lora: [lora, ...more] = [], tags, thresholds, precision } = flags;
  refuse(flags, ['variant', 'loraScale']);
  if (more.length > 0) throw new UsageError('--lora: expected DAPE.pth alone, got several files.');
  if ((tags === undefined) !== (thresholds === undefined)) {
    throw new UsageError('--tags: expected --thresholds beside it, and the other way round.');
  }
  return importTagger(file, {
    ...(name !== undefined && { name }),
    ...(tags !== undefined && thresholds !== undefined && { lists: { tags, thresholds } }),
    lora,
    precision,
    ...watch,
  });
};

const importMetric: Importer = async (file, flags, watch) => {
  const { importPart } = await import('../../measures/part-store.ts');
  refuse(flags, ['name', 'lora', 'variant', 'loraScale', 'tags', 'thresholds']);
  return importPart(file, { precision: flags.precision, ...watch });
};

/** @throws UsageError for a flag that this kind of model has no use for */
function refuse(flags: ImportFlags, names: readonly (keyof ImportFlags)[]): void {
  for (const name of names) {
    if (flags[name] === undefined) continue;
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UsageError(`--${flag}: expected another kind of model, got --kind ${flags.kind}.`);
  }
}

/** Keys and shapes by building the networks; loaded late, since only an import needs them. */
async function expectedWeights(): Promise<Expected> {
  const { modelConfig } = await import('../../networks/model-config.ts');
  const { requiredShapes } = await import('../../pipeline/model.ts');
  return ({ parts, scheduler, own }) =>
    requiredShapes(
      modelConfig({
        unet: parts.get('unet')!,
        vae: parts.get('vae')!,
        textEncoder: parts.get('text_encoder'),
        scheduler,
        own,
      }),
    );
}

async function list({ json }: JsonFlag): Promise<void> {
  const { listModels } = await import('../../weights/store.ts');
  const models = await listModels();
  process.stdout.write(json ? `${JSON.stringify(models, null, 2)}\n` : modelTable(models));
}

async function info(name: string, { json }: JsonFlag): Promise<void> {
  const { resolveModel } = await import('../../weights/store.ts');
  const model = await resolveModel(name);
  process.stdout.write(json ? `${JSON.stringify(model, null, 2)}\n` : modelText(model));
}

async function verify(name: string): Promise<void> {
  const { resolveModel, verifyModel } = await import('../../weights/store.ts');
  const model = await resolveModel(name);
  const problems = await verifyModel(model, { signal: interruptSignal() });
  for (const { file, problem } of problems) {
    process.stdout.write(`${oneLine(file)}: ${problem}\n`);
  }
  if (problems.length > 0) {
    throw new FormatError(
      `${name}: expected every file as manifest.json says, got ${problems.length} that differ. Remove the model and import it again.`,
    );
  }
  process.stdout.write(`${name}: every file is as its manifest says\n`);
}

async function remove(name: string): Promise<void> {
  const { removeModel } = await import('../../weights/store.ts');
  await removeModel(name);
  process.stdout.write(`${name}\n`);
}
