/** @file The JSON beside a result: what it was made of, by what, how, and when. */
import type { IdentifiedRule } from './context.ts';
import type { UpscaledFile } from './messages.ts';
import type { JobRecord } from './record.ts';

/** Times in milliseconds since 1970. */
interface Times {
  readonly started: number;
  readonly finished: number;
}

/** What is said of a result; its own name and size are added when it gets them. */
export function sidecarOf(
  record: JobRecord,
  { rule, modelHash, loraHashes }: IdentifiedRule,
  { width, height, device }: UpscaledFile,
  { started, finished }: Times,
): Readonly<Record<string, unknown>> {
  const loras = (rule.model.loras ?? []).map((lora, i) => {
    const { path, strength = 1 } = typeof lora === 'string' ? { path: lora } : lora;
    return { file: path, sha256: loraHashes[i], strength };
  });
  const { file, sha256, bytes } = record;
  const { model = 'compact', loras: _, ...rest } = rule.model;
  return {
    program: 'osediff',
    key: record.key,
    input: {
      file,
      sha256,
      bytes,
      ...(record.width > 0 && { width: record.width, height: record.height }),
    },
    output: { width, height },
    model: {
      name: model,
      sha256: modelHash,
      ...rest,
      ...(device !== undefined && { device }),
      loras,
    },
    options: { ...rule.upscale, ...rule.write },
    times: {
      found: record.added,
      started: new Date(started).toISOString(),
      finished: new Date(finished).toISOString(),
      seconds: Number(((finished - started) / 1000).toFixed(3)),
    },
    tries: record.failures.length + 1,
  };
}
