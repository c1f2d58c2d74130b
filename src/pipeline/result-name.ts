/** @file Names of results: a template with places for what tells them apart. */
import { UsageError } from '../tensor/errors.ts';

/** What a template may name. */
export interface NameParts {
  /** The input's name without its ending. */
  readonly stem: string;
  /** The size that was asked for: `x4`, `1920w`. */
  readonly size: string;
  readonly model: string;
  /** Place among the inputs, from 1. */
  readonly n: number;
}

/**
 * A result's name, without its ending.
 *
 * @param template text with `{stem}`, `{size}`, `{model}` and `{n}`
 * @throws UsageError for another place, a path, or nothing
 */
export function resultName(template: string, parts: NameParts): string {
  const name = template.replace(/\{([^{}]*)\}/g, (place, key: string) => {
    if (!Object.hasOwn(parts, key)) {
      throw new UsageError(
        `name: expected {stem}, {size}, {model} and {n} in a template, got ${place}.`,
      );
    }
    return String(parts[key as keyof NameParts]);
  });
  if (/[/\\]/.test(name.replaceAll(parts.stem, '')) || name.trim() === '') {
    throw new UsageError(
      `name: expected a file name without folders, got "${template}". Folders go into -o.`,
    );
  }
  return name;
}
