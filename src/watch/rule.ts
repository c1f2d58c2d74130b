/** @file What the watcher is asked to do: its rules and settings. */
import type { UpscaleOptions, UpscalerOptions } from '../pipeline/types.ts';
import type { WriteRules } from '../pipeline/write-rules.ts';

/** What becomes of an input when its result is there. */
export type Originals =
  | { readonly kind: 'keep' }
  | { readonly kind: 'delete' }
  | { readonly kind: 'move'; readonly folder: string };

/** One watched folder. */
export interface Rule {
  /** The folder that is watched, subfolders included. */
  readonly in: string;
  /** Gets the results, in the same subfolders. */
  readonly out: string;
  /** Gets what cannot be upscaled. @default `FAILED` in the watched folder */
  readonly failed?: string;
  readonly originals: Originals;
  /** Ending of results that are pictures, such as `.png`. @default the input's own */
  readonly ending?: string;
  readonly model: UpscalerOptions;
  readonly upscale: Omit<UpscaleOptions, 'onProgress' | 'signal'>;
  /** How results are written. @default {} */
  readonly write?: WriteRules;
  /** The text beside each picture stands before the prompt; such texts are no inputs. @default false */
  readonly captions?: boolean;
}

/** Settings of the whole watcher. Times in milliseconds. */
export interface WatchSettings {
  readonly rules: readonly Rule[];
  /** Where state lies when a watched folder may not be written, one folder for each rule. */
  readonly stateRoot: string;
  /** Keep all state in `stateRoot`, whatever may be written. @default false */
  readonly stateApart?: boolean;
  /** How long size and time of a file must rest. @default 2000 */
  readonly rest?: number;
  /** How long a resting file may fail to decode. @default 30000 */
  readonly patience?: number;
  /** Between two looks at a whole folder. @default 10000 */
  readonly sweep?: number;
  /** Do not wait for events, which some shares do not send. @default false: only on network shares */
  readonly polling?: boolean;
  /** How often a picture is tried before it is moved to the failed ones. @default 3 */
  readonly tries?: number;
  /** Before the second try; each later one waits six times as long. @default 5000 */
  readonly retryAfter?: number;
  /** Most time for one picture, or without a new frame of a film. @default 7200000 */
  readonly timeLimit?: number;
  /** Most memory of the process that upscales, in bytes. @default 3/4 of the machine's */
  readonly memory?: number;
  /** The status page, health checks and metrics; without it no port is opened. */
  readonly http?: { readonly host: string; readonly port: number };
  /** Commands or http(s) addresses that are told of results and failures. */
  readonly onDone?: string;
  readonly onFailed?: string;
  /** The program's own file, whose `video` command takes films; without it they are refused. */
  readonly program?: string;
  /** The file that runs in the worker processes; tests have one of their own. */
  readonly workerFile?: string;
}

/** Settings that have no default. */
type Optional = 'http' | 'onDone' | 'onFailed' | 'program' | 'workerFile';

/** Settings with every default filled in. */
export type FullSettings = Required<Omit<WatchSettings, Optional>> & Pick<WatchSettings, Optional>;
