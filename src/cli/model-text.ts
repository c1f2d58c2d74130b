/** @file Models as text for people: a line each in a list, a paragraph for one. */
import type { Manifest } from '../weights/manifest.ts';
import type { FoundModel, ListedModel } from '../weights/store.ts';
import { oneLine } from './errors.ts';

/** A table with a line for each model. */
export function modelTable(models: readonly ListedModel[]): string {
  if (models.length === 0) return '';
  const rows = models.map((model) => {
    const start = [model.name, model.place];
    if ('error' in model) return [...start, `damaged: ${oneLine(model.error)}`];
    const { manifest } = model;
    if (!manifest) return start;
    const { precision, prompt, kind } = manifest;
    return [...start, precision, prompt ?? `(${kind})`, sizeText(manifest)];
  });
  return lines([['NAME', 'PLACE', 'PRECISION', 'PROMPT', 'SIZE'], ...rows]);
}

/** What is known of one model. */
export function modelText({ name, folder, place, manifest }: FoundModel): string {
  const rows = [
    ['name', name],
    ['place', place],
    ['folder', folder],
    ...(manifest ? manifestRows(manifest) : []),
  ];
  return lines(rows);
}

function manifestRows(manifest: Manifest): string[][] {
  const { source, parts } = manifest;
  return [
    ['created', manifest.created],
    ['source', source.folder],
    ...Object.entries(source.weights).map(([part, file]) => [`  ${part}`, file]),
    ...source.loras.map((file) => ['  lora', file]),
    ['licence', manifest.licence ?? 'not stated'],
    ['precision', manifest.precision],
    ['prompt', manifest.prompt ?? `none (${manifest.kind})`],
    ...Object.entries(parts).map(([part, { class: name, parameters }]) => [
      part,
      `${name}, ${(parameters / 1e6).toFixed(2)} M parameters`,
    ]),
    ['size', sizeText(manifest)],
  ];
}

function sizeText({ files }: Manifest): string {
  const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Rows of cells as lines, the cells of a column at one place. */
function lines(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (column < row.length - 1 ? row[column]!.length : 0))),
  );
  return rows
    .map((row) =>
      row
        .map((cell, i) => oneLine(cell).padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}
