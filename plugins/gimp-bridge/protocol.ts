/** @file What local programs say to the engine service, and what it answers (docs/serve.md). */
import { type Channels, type ColorFix, type Progress, UsageError } from 'osediff';

/** Raised when a client of the version before could no longer understand us, or we it. */
export const protocolVersion = 1;

/** The longest description of a job, in bytes: its line, without the pixels. */
export const longestLine: number = 64 * 1024;

/** Samples as they lie in memory, little-endian. */
export type SampleType = 'u8' | 'u16' | 'u32' | 'half' | 'float' | 'double';

/** Bytes of a sample. */
export const sampleBytes: Readonly<Record<SampleType, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  half: 2,
  float: 4,
  double: 8,
};

/** `perceptual` samples are encoded as sRGB's are, `linear` ones are proportional to light. */
export type Transfer = 'perceptual' | 'linear';

/** A job: pixels of this description follow its line. */
export interface Job {
  readonly protocol: typeof protocolVersion;
  readonly width: number;
  readonly height: number;
  /** Grey, grey and alpha, RGB, RGB and alpha. */
  readonly channels: Channels;
  readonly type: SampleType;
  readonly transfer: Transfer;
  readonly model: string;
  readonly loras: readonly { readonly path: string; readonly strength?: number }[];
  readonly scale: number;
  /** How much of the generated detail enters, 0 to 1. */
  readonly detail: number;
  readonly prompt: string;
  readonly color: ColorFix;
  readonly tile: number | undefined;
  readonly overlap: number | undefined;
}

/** Lines of the answer to a job; after `result` come its bytes, after `result` or `error` nothing more. */
export type JobEvent =
  | { readonly event: 'queued'; readonly ahead: number }
  | { readonly event: 'loading'; readonly model: string }
  | ({ readonly event: 'progress' } & Progress)
  | ({ readonly event: 'result'; readonly bytes: number } & ResultFormat)
  | ({ readonly event: 'error' } & Failure);

/** What the result's pixels are. */
export type ResultFormat = Pick<Job, 'width' | 'height' | 'channels' | 'type'>;

/** An error as it crosses the wire. */
export interface Failure {
  /** The class, as `WeightError`. */
  readonly name: string;
  /** One line with its remedy. */
  readonly message: string;
}

/** The answer to `GET /v1/status`. */
export interface Status {
  readonly protocol: typeof protocolVersion;
  readonly version: string;
  /** Jobs under way and waiting. */
  readonly jobs: number;
}

/** The answer to `GET /v1/models`. */
export interface ModelList {
  readonly models: readonly {
    readonly name: string;
    /** What prompts it was trained with; null where they have no part in it or none is known. */
    readonly prompt: string | null;
  }[];
}

/** Checks one value. */
type Check = (value: unknown) => boolean;

const integer =
  (least: number, most: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
const oneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value);
const text =
  (most: number): Check =>
  (value) =>
    typeof value === 'string' && value.length <= most;
const number =
  (least: number, most: number): Check =>
  (value) =>
    typeof value === 'number' && value >= least && value <= most;

const longestEdge = 1 << 19; // GIMP's own limit

/** Every key of a job: what it may be, in words, and what it is when left out. */
const keys: Readonly<
  Record<keyof Job, readonly [check: Check, expected: string, otherwise?: unknown]>
> = {
  protocol: [oneOf(protocolVersion), `${protocolVersion}`],
  width: [integer(1, longestEdge), `1 to ${longestEdge}`],
  height: [integer(1, longestEdge), `1 to ${longestEdge}`],
  channels: [oneOf(1, 2, 3, 4), '1 to 4'],
  type: [oneOf(...Object.keys(sampleBytes)), Object.keys(sampleBytes).join(', ')],
  transfer: [oneOf('perceptual', 'linear'), 'perceptual or linear', 'perceptual'],
  model: [text(1024), 'a name', 'compact'],
  loras: [areLoras, 'at most 16 objects {path, strength}', []],
  scale: [number(1, 16), '1 to 16', 4],
  detail: [number(0, 1), '0 to 1', 1],
  prompt: [text(4096), 'text of at most 4096 characters', ''],
  color: [oneOf('adain', 'wavelet', 'none'), 'adain, wavelet or none', 'adain'],
  tile: [integer(1, longestEdge), `1 to ${longestEdge}`, undefined],
  overlap: [integer(0, longestEdge), `0 to ${longestEdge}`, undefined],
};

function areLoras(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length <= 16 &&
    value.every(
      (lora: unknown) =>
        isObject(lora) &&
        Object.keys(lora).every((key) => key === 'path' || key === 'strength') &&
        text(4096)(lora['path']) &&
        (lora['strength'] === undefined || number(-10, 10)(lora['strength'])),
    )
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads the line that describes a job; what is left out takes its default.
 *
 * @throws UsageError when it is no JSON object, or has an unknown key or a value out of range
 */
export function parseJob(line: string): Job {
  const json = parseObject(line);
  for (const key of Object.keys(json)) {
    if (!Object.hasOwn(keys, key)) {
      throw new UsageError(
        `job: expected only ${Object.keys(keys).join(', ')}, got ${shown(key)}. Update the client or osediff.`,
      );
    }
  }
  const entries = Object.entries(keys).map(([key, [check, expected, otherwise]]) => {
    const value = json[key];
    if (value !== undefined && !check(value)) {
      throw new UsageError(`job: expected "${key}" to be ${expected}, got ${shown(value)}.`);
    }
    if (value === undefined && otherwise === undefined && isRequired(key)) {
      throw new UsageError(`job: expected "${key}" (${expected}), got none.`);
    }
    return [key, value ?? otherwise];
  });
  return Object.fromEntries(entries) as Job;
}

function isRequired(key: string): boolean {
  return key !== 'tile' && key !== 'overlap';
}

function parseObject(line: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new UsageError(`job: expected a line of JSON, got ${shown(line)}.`, { cause });
  }
  if (!isObject(json)) throw new UsageError(`job: expected a JSON object, got ${shown(json)}.`);
  return json;
}

/** A value as one short line. */
function shown(value: unknown): string {
  const json = JSON.stringify(value);
  return json.length > 60 ? `${json.slice(0, 60)}...` : json;
}

/** Bytes of the pixels that a job announces. */
export function pixelBytes({ width, height, channels, type }: ResultFormat): number {
  return width * height * channels * sampleBytes[type];
}
