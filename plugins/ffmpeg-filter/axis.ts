/** @file Cuts one axis of a frame into overlapping cells, and says which cells make each pixel. */

/** Pixels `from` to `to` of the input that one cell makes, or two together. */
export interface Zone {
  readonly from: number;
  readonly to: number;
  readonly first: number;
  /** The second cell, where two overlap. */
  readonly second: number | undefined;
}

export interface Axis {
  readonly size: number;
  /** Edge of every cell. */
  readonly length: number;
  readonly starts: readonly number[];
  /** In rising order, without gaps. */
  readonly zones: readonly Zone[];
}

/**
 * As few cells of one length as cover the axis with at least `overlap` in common.
 *
 * @param cell longest cell; at least twice the overlap
 */
export function planAxis(size: number, cell: number, overlap: number): Axis {
  if (size <= cell) {
    const zones = [{ from: 0, to: size, first: 0, second: undefined }];
    return { size, length: size, starts: [0], zones };
  }
  const count = Math.ceil((size - overlap) / (cell - overlap));
  const even = Math.ceil((size + (count - 1) * overlap) / count / 4) * 4;
  const length = Math.min(cell, even);
  const starts = Array.from({ length: count }, (_, i) =>
    Math.round((i * (size - length)) / (count - 1)),
  );
  const zones: Zone[] = [];
  let at = 0;
  for (const [i, start] of starts.entries()) {
    const next = starts[i + 1];
    const end = Math.min(start + length, next ?? size);
    if (end > at) zones.push({ from: at, to: end, first: i, second: undefined });
    at = end;
    if (next !== undefined) {
      zones.push({ from: next, to: start + length, first: i, second: i + 1 });
      at = start + length;
    }
  }
  return { size, length, starts, zones };
}

/**
 * Share of the second cell in each output pixel of a zone: 0 and 1 in the outer quarters, where one
 * of the two has too little around it, and a smooth rise between.
 */
export function shares(zone: Zone, scale: number): Float32Array {
  const length = (zone.to - zone.from) * scale;
  return Float32Array.from({ length }, (_, i) => {
    const t = Math.min(1, Math.max(0, ((i + 0.5) / length - 0.25) * 2));
    return t * t * (3 - 2 * t);
  });
}
