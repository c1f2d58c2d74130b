/** @file `osediff model`: imports models into the store, lists, shows, verifies and removes them. */
import { Option, type Command } from 'commander';
import { FormatError } from '../../tensor/errors.ts';
import type { Expected, ImportOptions } from '../../weights/import-model.ts';
import type { Precision } from '../../weights/manifest.ts';
import { countReporter } from '../count-report.ts';
import { oneLine } from '../errors.ts';
import { interruptSignal } from '../interrupt.ts';
import { modelTable, modelText } from '../model-text.ts';
import { numberBetween } from '../parse.ts';

interface ImportFlags {
  readonly name: string;
  readonly lora?: readonly string[];
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
    .description('import a model in diffusers layout, such as SD 2.1-base, with its LoRA')
    .argument('<dir>', 'folder with unet/, vae/, scheduler/, text_encoder/ and tokenizer/')
    .requiredOption('--name <name>', 'what to call it from now on')
    .option('--lora <file>', 'osediff.pkl, or LoRA of PEFT or diffusers; may be repeated', collect)
    .option('--lora-scale <number>', 'alpha / rank, where the LoRA does not say', scale)
    .addOption(precisionOption())
    .option('--variant <name>', 'which weights to take, such as fp16, where there are several')
    .action((dir: string, flags: ImportFlags) => importOne(dir, flags));
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

async function importOne(dir: string, flags: ImportFlags): Promise<void> {
  const { importModel } = await import('../../weights/import-model.ts');
  const { name, lora: loras = [], ...rest } = flags;
  const reporter = countReporter();
  const options: ImportOptions = {
    ...rest,
    name,
    loras,
    expected: await expectedWeights(),
    onProgress: (done, total) => reporter.onCount(done, total, 'weights'),
    signal: interruptSignal(),
  };
  try {
    const { folder, unused } = await importModel(dir, options);
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
