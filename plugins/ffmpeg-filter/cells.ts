/** @file Upscales frames cell by cell, and computes no cell again whose pixels are the same as before. */
import type { Picture, Samples, Upscaler, UpscaleOptions } from 'osediff';
import { planAxis, shares, type Axis, type Zone } from './axis.ts';

export interface CellOptions {
  readonly scale: number;
  /** How each cell is upscaled. */
  readonly upscale: Omit<UpscaleOptions, 'scale' | 'onProgress'>;
  /** Longest edge of a cell and least overlap, in input pixels; without, a frame is one cell. */
  readonly cell?: number;
  readonly overlap?: number;
  /**
   * `off` computes everything; a number: a cell is the same when no sample differs by more than this
   * from what its result was computed for, 0 being the exact test. Samples of 16 bits count 257 a level.
   * @default 0
   */
  readonly still?: number | 'off';
}

/** How much the model has done. */
export interface CellCount {
  computed: number;
  reused: number;
}

interface Cell {
  readonly column: number;
  readonly row: number;
  /** What the result was computed for. */
  crop: Picture | undefined;
  result: Promise<Picture> | undefined;
}

/** A result under way, and what it is made from. */
interface Made {
  readonly picture: Promise<Picture>;
}

/** Upscales the frames of one film, in order; all of one size and kind. */
export class CellUpscaler {
  readonly count: CellCount = { computed: 0, reused: 0 };
  readonly #upscaler: Upscaler;
  readonly #options: CellOptions;
  readonly #x: Axis;
  readonly #y: Axis;
  readonly #cells: Cell[];
  #last: Made | undefined;

  constructor(upscaler: Upscaler, width: number, height: number, options: CellOptions) {
    const { cell = Infinity, overlap = 0 } = options;
    this.#upscaler = upscaler;
    this.#options = options;
    this.#x = planAxis(width, cell, overlap);
    this.#y = planAxis(height, cell, overlap);
    this.#cells = this.#y.starts.flatMap((_, row) =>
      this.#x.starts.map((_, column) => ({ column, row, crop: undefined, result: undefined })),
    );
  }

  /** Forget what was computed, so that what follows depends on nothing before. */
  reset(): void {
    this.#last = undefined;
    for (const cell of this.#cells) cell.crop = undefined;
  }

  /** Start upscaling a frame. The same promise comes back for a frame that did not change. */
  push(frame: Picture): Promise<Picture> {
    const { still = 0 } = this.#options;
    const stale = this.#cells.filter(
      (cell) => still === 'off' || !cell.crop || differs(cell.crop, frame, this.#at(cell), still),
    );
    this.count.computed += stale.length;
    this.count.reused += this.#cells.length - stale.length;
    if (this.#last && stale.length === 0) return this.#last.picture;
    for (const cell of stale) {
      cell.crop = crop(frame, this.#at(cell), this.#x.length, this.#y.length);
      cell.result = this.#upscaler.upscale(cell.crop, {
        ...this.#options.upscale,
        scale: this.#options.scale,
      });
      cell.result.catch(() => undefined); // thrown where the frame is awaited
    }
    const picture = this.#assemble(this.#last?.picture, new Set(stale));
    picture.catch(() => undefined);
    this.#last = { picture };
    return picture;
  }

  #at({ column, row }: Cell): { left: number; top: number } {
    return { left: this.#x.starts[column]!, top: this.#y.starts[row]! };
  }

  async #assemble(
    before: Promise<Picture> | undefined,
    stale: ReadonlySet<Cell>,
  ): Promise<Picture> {
    const columns = this.#x.starts.length;
    const results = this.#cells.map((cell) => cell.result!);
    const fresh = this.#cells.map((cell) => stale.has(cell));
    const pictures = await Promise.all(results);
    if (pictures.length === 1) return pictures[0]!;
    const { scale } = this.#options;
    const [width, height] = [this.#x.size * scale, this.#y.size * scale];
    const { channels, data: like } = pictures[0]!;
    const old = await before;
    const data = old ? old.data.slice() : makeLike(like, width * height * channels);
    const target: Picture = { width, height, channels, data };
    for (const y of this.#y.zones) {
      for (const x of this.#x.zones) {
        const indices = [y.first, y.second].flatMap((row) =>
          [x.first, x.second].map((column) =>
            row === undefined || column === undefined ? undefined : row * columns + column,
          ),
        );
        if (!indices.some((i) => i !== undefined && fresh[i])) continue;
        const parts = indices.map((i) => (i === undefined ? undefined : pictures[i]!));
        blendZone(target, this.#x, this.#y, { x, y }, parts, scale);
      }
    }
    return target;
  }
}

/** Writes one zone of the result from the cells that make it: `[top left, top right, bottom left, bottom right]`. */
function blendZone(
  target: Picture,
  xAxis: Axis,
  yAxis: Axis,
  { x, y }: { readonly x: Zone; readonly y: Zone },
  parts: readonly (Picture | undefined)[],
  scale: number,
): void {
  const { channels, data } = target;
  const rowOf = (part: number, line: number): Samples | undefined => {
    const picture = parts[part];
    if (!picture) return undefined;
    const column = part % 2 === 0 ? x.first : x.second!;
    const row = part < 2 ? y.first : y.second!;
    const left = (x.from - xAxis.starts[column]!) * scale;
    const top = (y.from - yAxis.starts[row]!) * scale + line;
    const start = (top * picture.width + left) * channels;
    return picture.data.subarray(start, start + (x.to - x.from) * scale * channels);
  };
  const across = shares(x, scale);
  const down = shares(y, scale);
  const half = data instanceof Float32Array ? 0 : 0.5;
  for (let line = 0; line < down.length; line++) {
    const out = ((y.from * scale + line) * target.width + x.from * scale) * channels;
    const [a, b, c, d] = [0, 1, 2, 3].map((part) => rowOf(part, line)) as [
      Samples,
      Samples | undefined,
      Samples | undefined,
      Samples | undefined,
    ];
    if (!b && !c) {
      data.set(a, out);
      continue;
    }
    const v = c ? down[line]! : 0;
    for (let i = 0; i < a.length; i++) {
      const u = b ? across[Math.floor(i / channels)]! : 0;
      const upper = b ? a[i]! + (b[i]! - a[i]!) * u : a[i]!;
      const lower = !c ? upper : d ? c[i]! + (d[i]! - c[i]!) * u : c[i]!;
      data[out + i] = upper + (lower - upper) * v + half;
    }
  }
}

function makeLike(like: Samples, length: number): Samples {
  if (like instanceof Uint8Array) return new Uint8Array(length);
  return like instanceof Uint16Array ? new Uint16Array(length) : new Float32Array(length);
}

function crop(
  frame: Picture,
  { left, top }: { readonly left: number; readonly top: number },
  width: number,
  height: number,
): Picture {
  const { channels, data } = frame;
  if (width === frame.width && height === frame.height) return frame;
  const out = makeLike(data, width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * frame.width + left) * channels;
    out.set(data.subarray(from, from + width * channels), y * width * channels);
  }
  return { width, height, channels, data: out };
}

/** Whether a frame differs from a crop of an earlier one, by more than `still` levels somewhere. */
function differs(
  before: Picture,
  frame: Picture,
  { left, top }: { readonly left: number; readonly top: number },
  still: number,
): boolean {
  const { channels } = frame;
  const row = before.width * channels;
  const limit = still * (frame.data instanceof Uint16Array ? 257 : 1);
  for (let y = 0; y < before.height; y++) {
    const a = before.data.subarray(y * row, (y + 1) * row);
    const from = ((top + y) * frame.width + left) * channels;
    const b = frame.data.subarray(from, from + row);
    if (bytesOf(a).equals(bytesOf(b))) continue;
    if (limit === 0) return true;
    for (let i = 0; i < row; i++) if (Math.abs(a[i]! - b[i]!) > limit) return true;
  }
  return false;
}

function bytesOf(data: Samples): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
