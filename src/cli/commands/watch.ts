/** @file `osediff watch`: upscales whatever is dropped into folders, until it is told to stop. */
import type { Command } from 'commander';
import type { WatchSettings } from '../../watch/rule.ts';
import { interruptSignal } from '../interrupt.ts';
import { readConfig } from '../watch-config.ts';
import {
  addWatchFlags,
  givenFlags,
  merge,
  parseWatchFlags,
  ruleOf,
  settingsOf,
  type GivenFlags,
  type WatchFlags,
} from '../watch-flags.ts';
import { createLog, type LogLevel } from '../watch-log.ts';

/** Longest time from the signal to the end of the process, in ms. */
const longestStop = 4500;

async function run(settings: WatchSettings, logLevel: LogLevel): Promise<void> {
  const signal = interruptSignal();
  // A disk that does not answer must not keep a service from stopping; nothing is lost by it.
  const force = (): void => void setTimeout(() => process.exit(), longestStop).unref();
  signal.addEventListener('abort', force, { once: true });
  const { watch } = await import('../../watch/watch.ts');
  await watch(settings, { log: createLog(logLevel), signal });
}

/**
 * Add the command to a program.
 *
 * @param settings that no option has: a test's own worker process
 */
export function addWatch(program: Command, settings: Pick<WatchSettings, 'workerFile'> = {}): void {
  const command = program
    .command('watch')
    .description('watch folders, and upscale whatever is dropped into them')
    .argument('[folder]', 'the folder to watch; several are named in a configuration');
  addWatchFlags(command)
    .option(
      '--config <file>',
      'TOML or JSON: these options as keys, and a [[rule]] for each folder',
    )
    .action(async (folder: string | undefined, flags: WatchFlags) => {
      const line = givenFlags(command);
      const all = await allSettings(folder, flags.config, line);
      // The program itself takes films, by its video command.
      const [, program = ''] = process.argv;
      await run({ ...all.settings, program, ...settings }, all.logLevel);
    });
}

/** The command line and the configuration together: what a rule says itself holds for it. */
async function allSettings(
  folder: string | undefined,
  config: string | undefined,
  line: GivenFlags,
): Promise<{ settings: WatchSettings; logLevel: LogLevel }> {
  const { common, rules: tables } =
    config === undefined ? { common: [], rules: [] } : await readConfig(config);
  const file = config ?? '';
  const base = merge(parseWatchFlags(common, file), line);
  const rules = tables.map((args) => ruleOf(merge(base, parseWatchFlags(args, file)).flags));
  const own = folder ?? base.flags.in;
  if (own !== undefined || rules.length === 0) {
    rules.unshift(ruleOf({ ...base.flags, ...(own !== undefined && { in: own }) }));
  }
  return { settings: settingsOf(base.flags, rules), logLevel: base.flags.logLevel };
}
