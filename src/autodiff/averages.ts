/** @file Averages of parameters over the steps of a training run (Polyak & Juditsky 1992). */
import type { Arrays } from './optimizer.ts';

/**
 * An exponential moving average of parameters: `e = d·e + (1 - d)·p`, where d grows as
 * min(decay, (1 + step) / (10 + step)), so that the start is soon forgotten.
 */
export class MovingAverage {
  /** Steps taken; set it, and {@link values}, to go on from a checkpoint. */
  step = 0;
  readonly values: Map<string, Float32Array> = new Map();
  readonly #decay: number;

  /** @param decay in [0, 1); 0.999 remembers about a thousand steps */
  constructor(decay: number) {
    this.#decay = decay;
  }

  /** Takes in the parameters after a step. */
  update(parameters: Arrays): void {
    const kept = Math.min(this.#decay, (1 + this.step) / (10 + this.step));
    this.step += 1;
    for (const [name, p] of parameters) {
      const e = this.values.get(name);
      if (!e) this.values.set(name, p.slice());
      else for (let i = 0; i < e.length; i++) e[i] = kept * e[i]! + (1 - kept) * p[i]!;
    }
  }
}
