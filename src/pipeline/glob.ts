/** @file File name patterns, for shells that leave them to the program: `*`, `**`, `?`, `[a-z]`, `{a,b}`. */
import { readdir } from 'node:fs/promises';
import { join, sep } from 'node:path';

/** Whether a path has the signs of a pattern. */
export function isPattern(path: string): boolean {
  return /[*?[{]/.test(path);
}

/**
 * The existing files that a pattern names, in the order of their names. Hidden names are matched
 * only by patterns that begin with a dot; folders are entered to any depth by `**` alone.
 */
export async function expandPattern(pattern: string): Promise<string[]> {
  const found = new Set<string>();
  for (const alternative of expandBraces(pattern)) {
    const parts = alternative.split(sep === '\\' ? /[\\/]/ : '/');
    const fixed = parts.findIndex(isPattern);
    const base = parts.slice(0, fixed === -1 ? parts.length : fixed).join('/');
    const root = base === '' && alternative.startsWith('/') ? '/' : base;
    if (fixed !== -1) await descend(root, parts.slice(fixed), found);
    else found.add(alternative);
  }
  return [...found].sort();
}

/** `a{b,c}d` as `abd` and `acd`; braces do not nest. */
function expandBraces(pattern: string): string[] {
  const braces = /\{([^{}]*)\}/.exec(pattern);
  if (!braces) return [pattern];
  const [before, after] = [
    pattern.slice(0, braces.index),
    pattern.slice(braces.index + braces[0].length),
  ];
  return braces[1]!.split(',').flatMap((choice) => expandBraces(`${before}${choice}${after}`));
}

async function descend(
  folder: string,
  parts: readonly string[],
  found: Set<string>,
): Promise<void> {
  const [part, ...rest] = parts;
  if (part === undefined) return;
  if (part === '**') await descend(folder, rest.length > 0 ? rest : ['*'], found);
  const entries = await readdir(folder || '.', { withFileTypes: true }).catch(() => []);
  const matches = part === '**' ? undefined : nameMatcher(part);
  for (const entry of entries) {
    if (entry.name.startsWith('.') && !part.startsWith('.')) continue;
    const path = folder === '' ? entry.name : join(folder, entry.name);
    if (!matches) {
      if (entry.isDirectory()) await descend(path, parts, found);
    } else if (matches.test(entry.name)) {
      if (rest.length > 0) await descend(path, rest, found);
      else if (!entry.isDirectory()) found.add(path);
    }
  }
}

/** One part of a pattern as a regular expression of a whole name. */
function nameMatcher(part: string): RegExp {
  const source = part.replace(/\*|\?|\[(!?)([^\]]+)\]|[\\^$.|+(){}[\]]/g, (sign, not, set) => {
    if (sign === '*') return '.*';
    if (sign === '?') return '.';
    if (set !== undefined)
      return `[${not ? '^' : ''}${(set as string).replace(/[\\\]^]/g, '\\$&')}]`;
    return `\\${sign}`;
  });
  return new RegExp(`^${source}$`, process.platform === 'win32' ? 'is' : 's');
}
