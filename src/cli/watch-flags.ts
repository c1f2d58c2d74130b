/** @file The watcher's options: declared once, for the command line and the configuration file alike. */
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { extensionOf } from '../image/formats.ts';
import { UsageError } from '../tensor/errors.ts';
import type { Rule, WatchSettings } from '../watch/rule.ts';
import { dataFolder } from '../weights/data-folder.ts';
import { integerFrom, numberBetween } from './parse.ts';
import {
  addUpscaleFlags,
  modelOptions,
  upscaleOptions,
  type UpscaleFlags,
} from './upscale-flags.ts';
import { addWriteFlags, writeRules, type WriteFlags } from './write-flags.ts';
import { logLevels, type LogLevel } from './watch-log.ts';

/** What commander makes of them. Times in seconds, memory in MiB. */
export interface WatchFlags extends UpscaleFlags, WriteFlags {
  readonly config?: string;
  readonly in?: string;
  readonly out?: string;
  readonly failed?: string;
  readonly done?: string;
  readonly delete?: true;
  readonly keep?: true;
  readonly http?: { readonly host: string; readonly port: number };
  readonly rest: number;
  readonly patience: number;
  readonly sweep: number;
  readonly poll?: true;
  readonly tries: number;
  readonly retryAfter: number;
  readonly timeLimit: number;
  readonly memory?: number;
  readonly onDone?: string;
  readonly onFailed?: string;
  readonly state?: string;
  readonly logLevel: LogLevel;
}

/** Flags, and which of them were given rather than left at their defaults. */
export interface GivenFlags {
  readonly flags: WatchFlags;
  readonly given: ReadonlySet<string>;
}

/** Of each group, what is said last takes the place of all that was said before. */
const groups = [
  ['keep', 'delete', 'done'],
  ['scale', 'width', 'height', 'megapixels'],
] as const;

const seconds = numberBetween(0.05, 30 * 24 * 60 * 60);

/** Adds all options to a command. */
export function addWatchFlags(command: Command): Command {
  command
    .addOption(new Option('--in <folder>', 'the folder to watch, in a configuration').hideHelp())
    .option('-o, --out <folder>', 'gets the results, in the same subfolders')
    .option(
      '--failed <folder>',
      'gets what cannot be upscaled (default: FAILED in the watched one)',
    )
    .addOption(
      new Option('--keep', 'leave originals where they are (default)').conflicts([
        'delete',
        'done',
      ]),
    )
    .addOption(new Option('--delete', 'delete originals whose results are there').conflicts('done'))
    .option('--done <folder>', 'move originals whose results are there');
  addWriteFlags(addUpscaleFlags(command));
  return command
    .option('--http <[host:]port>', 'serve a status page, /metrics, /healthz and /readyz', address)
    .option('--on-done <command or URL>', 'told of each result')
    .option('--on-failed <command or URL>', 'told of each file that is given up')
    .option(
      '--rest <seconds>',
      'a file that has not changed for so long is looked into',
      seconds,
      2,
    )
    .option('--patience <seconds>', 'one that then does not decode is given up', seconds, 30)
    .option('--sweep <seconds>', 'between two looks at the whole folder', seconds, 10)
    .option('--poll', 'do not rely on events (network shares are polled anyway)')
    .option('--tries <number>', 'before a picture is given up', integerFrom(1), 3)
    .option('--retry-after <seconds>', 'before the second try; later ones wait longer', seconds, 5)
    .option('--time-limit <seconds>', 'most time for one picture', seconds, 7200)
    .option(
      '--memory <MiB>',
      "of the process that upscales (default: 3/4 of the machine's)",
      integerFrom(64),
    )
    .option('--state <folder>', 'where state lies (default: .osediff in the watched folder)')
    .addOption(
      new Option('--log-level <level>', 'least that is logged')
        .choices([...logLevels])
        .default('info'),
    );
}

/**
 * Parses arguments from a configuration.
 *
 * @throws UsageError that names the file
 */
export function parseWatchFlags(args: readonly string[], file: string): GivenFlags {
  const command = addWatchFlags(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .allowExcessArguments(false);
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    const text = (error as Error).message.replace(/^error: /, '').split('\n')[0]!;
    throw new UsageError(`${file}: ${text}`);
  }
  return givenFlags(command);
}

/** The flags of a command that has parsed its line. */
export function givenFlags(command: Command): GivenFlags {
  const flags = command.opts<WatchFlags>();
  const given = Object.keys(flags).filter((name) => command.getOptionValueSource(name) === 'cli');
  return { flags, given: new Set(given) };
}

/** Flags of which the later ones take the place of the earlier. */
export function merge(...layers: readonly GivenFlags[]): GivenFlags {
  const given = new Set<string>();
  let flags: Record<string, unknown> = { ...layers[0]!.flags };
  for (const layer of layers) {
    for (const group of groups) {
      if (group.some((name) => layer.given.has(name))) for (const name of group) delete flags[name];
    }
    for (const name of layer.given) {
      flags[name] = layer.flags[name as keyof WatchFlags];
      given.add(name);
    }
  }
  return { flags: flags as unknown as WatchFlags, given };
}

/**
 * The rule that flags describe.
 *
 * @throws UsageError when a folder is missing or options are at odds
 */
export function ruleOf(flags: WatchFlags): Rule {
  const { out, failed, done, format } = flags;
  if (flags.in === undefined) {
    throw new UsageError('watch: expected a folder to watch, got none. Name it.');
  }
  if (out === undefined) {
    throw new UsageError(
      `${flags.in}: expected a folder for its results, got none. Name it with --out.`,
    );
  }
  return {
    in: flags.in,
    out,
    ...(failed !== undefined && { failed }),
    originals:
      done !== undefined
        ? { kind: 'move', folder: done }
        : { kind: flags.delete ? 'delete' : 'keep' },
    ...(format !== undefined && { ending: extensionOf(format) }),
    model: modelOptions(flags),
    upscale: upscaleOptions(flags),
    write: writeRules(flags),
    captions: flags.promptFrom === 'file',
  };
}

/** The settings of the whole watcher that flags describe. */
export function settingsOf(flags: WatchFlags, rules: readonly Rule[]): WatchSettings {
  const { http, onDone, onFailed, memory, state } = flags;
  const ms = (value: number): number => Math.round(value * 1000);
  return {
    rules,
    stateRoot: state ?? join(dataFolder(), 'watch'),
    stateApart: state !== undefined,
    rest: ms(flags.rest),
    patience: ms(flags.patience),
    sweep: ms(flags.sweep),
    polling: flags.poll === true,
    tries: flags.tries,
    retryAfter: ms(flags.retryAfter),
    timeLimit: ms(flags.timeLimit),
    ...(memory !== undefined && { memory: memory * 2 ** 20 }),
    ...(http && { http }),
    ...(onDone !== undefined && { onDone }),
    ...(onFailed !== undefined && { onFailed }),
  };
}

/** `PORT` on this machine alone, or `HOST:PORT`. */
function address(text: string): { host: string; port: number } {
  const [, host = '127.0.0.1', port] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65535) {
    throw new InvalidArgumentError('Expected PORT or HOST:PORT.');
  }
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}
