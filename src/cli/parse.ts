/** @file Values of command-line options, checked while the line is parsed. */
import { InvalidArgumentError } from 'commander';

/** A whole number from `least` up. */
export function integerFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`Expected a whole number of at least ${least}.`);
    }
    return value;
  };
}

/** A number in [`least`, `most`]. */
export function numberBetween(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d*\.?\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`Expected a number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** `auto`, `cpu`, `webgpu`, `cuda` or `cuda:N`. */
export function device(text: string): string {
  if (!/^(auto|cpu|webgpu|cuda(:\d+)?)$/.test(text)) {
    throw new InvalidArgumentError('Expected auto, cpu, cuda, cuda:N or webgpu.');
  }
  return text;
}

/** A LoRA file and how strongly it is merged. */
export interface Lora {
  readonly path: string;
  readonly strength?: number;
}

/** `FILE` or `FILE:strength`, added to those before. A colon that no number follows is the name's. */
export function lora(text: string, before: readonly Lora[] = []): readonly Lora[] {
  const parts = /^(.+):([+-]?\d*\.?\d+)$/s.exec(text);
  if (text === '') throw new InvalidArgumentError('Expected FILE or FILE:strength.');
  return [...before, parts ? { path: parts[1]!, strength: Number(parts[2]) } : { path: text }];
}
