/** @file The scale of a LoRA by PEFT's adapter_config.json (github: huggingface/peft, LoraConfig). */
import { ConfigError, WeightError } from '../tensor/errors.ts';
import { quoted } from './quoted.ts';
import { isObject } from './strict-json.ts';

/** The scale of a module's LoRA; `module` is its path without the part in front. */
export type ScaleRule = (module: string, rank: number) => number;

/**
 * The scale of each module by a LoraConfig: alpha / r, or alpha / sqrt(r) with rsLoRA, where
 * `rank_pattern` and `alpha_pattern` may give modules values of their own.
 *
 * @param config a parsed adapter_config.json
 * @param where its file, for messages
 * @throws ConfigError naming a setting that is not read here
 */
export function scaleRule(config: Readonly<Record<string, unknown>>, where: string): ScaleRule {
  for (const [key, allowed] of fixed) {
    const value = config[key];
    if (value === undefined || value === null || allowed.includes(value)) continue;
    throw new ConfigError(
      `${where}: "${key}" is ${JSON.stringify(value)}, which is not read here. Export a plain LoRA.`,
    );
  }
  const r = positive(config, 'r', where);
  const alpha = positive(config, 'lora_alpha', where);
  const ranks = patterns(config['rank_pattern'], `${where}: rank_pattern`);
  const alphas = patterns(config['alpha_pattern'], `${where}: alpha_pattern`);
  const root = config['use_rslora'] === true;
  return (module, rank) => {
    const expected = valueFor(module, ranks) ?? r;
    if (rank !== expected) {
      throw new WeightError(
        `${where}: expected rank ${expected} for ${quoted(module)}, got weights of rank ${rank}.`,
      );
    }
    return (valueFor(module, alphas) ?? alpha) / (root ? Math.sqrt(rank) : rank);
  };
}

/** Settings that change what the weights mean, and their only values here. */
const fixed: readonly (readonly [string, readonly unknown[]])[] = [
  ['peft_type', ['LORA']],
  ['use_dora', [false]],
  ['lora_bias', [false]],
  ['fan_in_fan_out', [false]],
];

/** Pairs of a module's name, or the end of one, and a value. */
type Patterns = readonly (readonly [string, number])[];

/** PEFT matches whole path elements at the end; of regular expressions only `^` and `\.` are read. */
function valueFor(module: string, values: Patterns): number | undefined {
  const found = values.find(
    ([name]) =>
      module === name.replace(/^\^/, '') || (!name.startsWith('^') && module.endsWith(`.${name}`)),
  );
  return found?.[1];
}

function patterns(value: unknown, where: string): Patterns {
  if (value === undefined || value === null) return [];
  if (!isObject(value)) throw new ConfigError(`${where}: expected an object.`);
  return Object.keys(value).map((key) => {
    const name = key.replaceAll('\\.', '.').replace(/\$$/, '');
    if (!/^\^?[\w.-]+$/.test(name)) {
      throw new ConfigError(
        `${where}: expected names of modules, got the regular expression ${quoted(key)}. Spell the names out.`,
      );
    }
    return [name, positive(value, key, where)] as const;
  });
}

function positive(config: Readonly<Record<string, unknown>>, key: string, where: string): number {
  const value = config[key];
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
  throw new ConfigError(
    `${where}: expected a positive number as ${quoted(key)}, got ${JSON.stringify(value) ?? 'none'}.`,
  );
}
