/** @file Sizes that may be unknown until a picture comes: numbers, or text such as `8*h` over a symbol. */
import { ShapeError } from '../tensor/errors.ts';

/**
 * A size: a number, `k*name` or `k*name+c` over one symbol, or a product of such in brackets. Equal
 * sizes have equal text. A symbol declared as `64*h` says that the size is a multiple of 64.
 */
export type Dim = number | string;

interface Affine {
  factor: number;
  symbol: string;
  offset: number;
}

function affine(dim: string): Affine | undefined {
  const match = /^(?:(\d+)\*)?([A-Za-z_]\w*)([+-]\d+)?$/.exec(dim);
  if (!match) return undefined;
  return { factor: Number(match[1] ?? 1), symbol: match[2]!, offset: Number(match[3] ?? 0) };
}

function print({ factor, symbol, offset }: Affine): Dim {
  if (factor === 0) return offset;
  const scaled = factor === 1 ? symbol : `${factor}*${symbol}`;
  return offset === 0 ? scaled : `${scaled}${offset > 0 ? '+' : ''}${offset}`;
}

/**
 * `floor((dim * mul + add) / div)`, exact also for symbolic sizes.
 *
 * @throws ShapeError when a symbolic size does not divide: declare it as a multiple, or build for a
 * fixed size.
 */
export function mapDim(dim: Dim, { mul = 1, add = 0, div = 1 }: DimMap): Dim {
  if (typeof dim === 'number') return Math.floor((dim * mul + add) / div);
  const a = affine(dim);
  if (a === undefined || (a.factor * mul) % div !== 0) {
    throw new ShapeError(
      `graph: cannot compute (${dim} * ${mul} + ${add}) / ${div} for every size. Declare the size as a multiple, or build for a fixed size.`,
    );
  }
  return print({
    factor: (a.factor * mul) / div,
    symbol: a.symbol,
    offset: Math.floor((a.offset * mul + add) / div),
  });
}

/** What {@link mapDim} does to a size. */
export interface DimMap {
  mul?: number;
  add?: number;
  div?: number;
}

/** The sum of sizes of which at most one is symbolic, or that share one symbol. */
export function addDims(dims: readonly Dim[]): Dim {
  return dims.reduce((sum, dim) => {
    if (typeof sum === 'number' && typeof dim === 'number') return sum + dim;
    if (typeof dim === 'number') return mapDim(sum, { add: dim });
    if (typeof sum === 'number') return mapDim(dim, { add: sum });
    const [a, b] = [affine(sum), affine(dim)];
    if (!a || !b || a.symbol !== b.symbol) {
      throw new ShapeError(`graph: cannot add the sizes ${sum} and ${dim} before they are known.`);
    }
    return print({ factor: a.factor + b.factor, symbol: a.symbol, offset: a.offset + b.offset });
  }, 0);
}

/** The product of sizes; several symbolic ones give an opaque text such as `64*(h)*(w)`. */
export function multiplyDims(dims: readonly Dim[]): Dim {
  let known = 1;
  const symbolic: string[] = [];
  for (const dim of dims) {
    const { factor, symbols } = typeof dim === 'number' ? { factor: dim, symbols: [] } : split(dim);
    known *= factor;
    symbolic.push(...symbols);
  }
  if (symbolic.length === 0) return known;
  const a = symbolic.length === 1 ? affine(symbolic[0]!) : undefined;
  if (a) return print({ ...a, factor: a.factor * known, offset: a.offset * known });
  const factors = symbolic.map((symbol) => `(${symbol})`).sort();
  return known === 1 ? factors.join('*') : `${known}*${factors.join('*')}`;
}

/** The number in a symbolic size, and what it multiplies: `64*(h)*(w)` is 64, `h` and `w`. */
function split(dim: string): { factor: number; symbols: string[] } {
  const a = affine(dim);
  if (a) return a.offset === 0 ? { factor: a.factor, symbols: [a.symbol] } : one(dim);
  const [, factor, product] = /^(?:(\d+)\*)?\((.+)\)$/.exec(dim) ?? [];
  if (product === undefined) return one(dim);
  return { factor: Number(factor ?? 1), symbols: product.split(')*(') };
}

function one(dim: string): { factor: number; symbols: string[] } {
  return { factor: 1, symbols: [dim] };
}

/** `[2, 64, 8*h]`, for messages. */
export function printShape(shape: readonly Dim[]): string {
  return `[${shape.join(', ')}]`;
}

/** Whether every size is a number. */
export function isStatic(shape: readonly Dim[]): shape is readonly number[] {
  return shape.every((dim) => typeof dim === 'number');
}
