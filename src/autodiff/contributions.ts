/** @file Gradients that reach a value from several sides, and their sum. */
import { add, concat, reshape, sum } from '../graph/functions.ts';
import type { Value } from '../graph/graph.ts';
import { border } from './shape-rules.ts';

/** A gradient of only some elements along one axis: from `start` on, as many as it has. */
interface Part {
  readonly axis: number;
  readonly start: number;
}

interface Contribution {
  readonly value: Value;
  readonly part: Part | undefined;
}

/** Collects gradients by the value whose they are. */
export class Contributions {
  readonly #of = new Map<Value, Contribution[]>();

  /**
   * @param gradient of `of`, or of what it was broadcast to
   * @param part which elements of `of` it belongs to; all by default
   */
  add(of: Value, gradient: Value, part?: Part): void {
    const value = part ? gradient : sumTo(gradient, of.shape as readonly number[]);
    const known = this.#of.get(of);
    if (known) known.push({ value, part });
    else this.#of.set(of, [{ value, part }]);
  }

  /** The sum of what was collected so far; undefined for nothing. */
  total(of: Value): Value | undefined {
    const known = this.#of.get(of);
    if (!known) return undefined;
    const wholes = known.filter(({ part }) => part === undefined).map(({ value }) => value);
    const value = [...wholes, ...joinParts(known, of)].reduce((a, b) => add(a, b));
    this.#of.set(of, [{ value, part: undefined }]);
    return value;
  }
}

/** Parts that lie side by side and cover the value are joined; others are filled up with zeros. */
function joinParts(contributions: readonly Contribution[], of: Value): Value[] {
  const parts = contributions
    .flatMap(({ value, part }) => (part ? [{ value, ...part }] : []))
    .sort((a, b) => a.start - b.start);
  if (parts.length === 0) return [];
  const { axis } = parts[0]!;
  let end = 0;
  const adjacent = parts.every(({ value, ...part }) => {
    const joins = part.axis === axis && part.start === end;
    end += value.shape[axis] as number;
    return joins;
  });
  if (adjacent && end === of.shape[axis]) {
    const values = parts.map(({ value }) => value);
    return [concat(values, axis)];
  }
  return parts.map(({ value, axis: along, start }) => {
    const whole = of.shape[along] as number;
    return border(value, along, start, whole - start - (value.shape[along] as number));
  });
}

/** `gradient` summed over the axes along which a value of `shape` was broadcast. */
function sumTo(gradient: Value, shape: readonly number[]): Value {
  const lead = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((size, axis) =>
    axis < lead || (shape[axis - lead] === 1 && size !== 1) ? [axis] : [],
  );
  if (axes.length === 0) return gradient;
  const summed = sum(gradient, axes);
  return lead === 0 ? summed : reshape(summed, shape);
}
