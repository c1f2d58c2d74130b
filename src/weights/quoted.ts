/** @file Names out of files, made safe to print: on one line, bounded, control characters escaped. */

const longest = 120;

/** `name` in double quotes; a long one is cut. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > longest ? `${name.slice(0, longest)}…` : name);
}

/** The first few of many names and how many more there are, e.g. `"a", "b" and 7 more`. */
export function fewOf(names: readonly string[], most = 3): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
