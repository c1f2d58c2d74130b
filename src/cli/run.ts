/** @file Runs a command line: loads the command it names, and turns errors into one exit code. */
import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { errorText, exitCodeOf, exitCodes, oneLine } from './errors.ts';
import { isInterrupted } from './interrupt.ts';

/** Adds a command to a program. */
type AddCommand = (program: Command) => void;

/** Commands by name, in the order of the help; each file is loaded only when it is needed. */
export type CommandTable = Readonly<Record<string, () => Promise<AddCommand>>>;

/** All commands of the program. */
const commands: CommandTable = {
  upscale: async () => (await import('./commands/upscale.ts')).addUpscale,
  watch: async () => (await import('./commands/watch.ts')).addWatch,
  model: async () => (await import('./commands/model.ts')).addModel,
  degrade: async () => (await import('./commands/degrade.ts')).addDegrade,
  tag: async () => (await import('./commands/tag.ts')).addTag,
  evaluate: async () => (await import('./commands/evaluate.ts')).addEvaluate,
  serve: async () => (await import('./commands/serve.ts')).addServe,
  gimp: async () => (await import('./commands/gimp.ts')).addGimp,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctor,
  benchmark: async () => (await import('./commands/benchmark.ts')).addBenchmark,
  gpu: async () => (await import('./commands/gpu.ts')).addGpu,
  video: async () => (await import('./commands/video.ts')).addVideo,
  frames: async () => (await import('./commands/frames.ts')).addFrames,
  compare: async () => (await import('./commands/compare.ts')).addCompare,
};

/**
 * Run a command line.
 *
 * Errors are printed: an OsediffError as one line, wrong usage as one line, anything else with its
 * stack. `process.exitCode` set by a command (some inputs failed) is kept.
 *
 * @param args what follows the program's name
 * @returns the exit code
 */
export async function run(
  args: readonly string[],
  table: CommandTable = commands,
): Promise<number> {
  try {
    const program = createProgram();
    for (const load of wanted(args[0], table)) (await load())(program);
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? exitCodes.done);
  } catch (error) {
    if (isInterrupted()) {
      process.stderr.write('osediff: interrupted.\n');
      return exitCodes.interrupted;
    }
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    }
    process.stderr.write(`osediff: ${errorText(error)}\n`);
    return exitCodeOf(error);
  }
}

/** The command that is named, or all of them for the help and for suggestions. */
function wanted(name: string | undefined, table: CommandTable): (() => Promise<AddCommand>)[] {
  const only = name !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;
  return only ? [only] : Object.values(table);
}

function createProgram(): Command {
  const { version } = createRequire(import.meta.url)('osediff/package.json') as { version: string };
  return new Command('osediff')
    .description('One-step diffusion upscaling')
    .version(version)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => {
        // commander puts its suggestion on a second line
        write(
          `osediff: ${oneLine(
            text
              .trim()
              .replace(/^error: /, '')
              .replaceAll('\n', ' '),
          )}\n`,
        );
      },
    });
}
