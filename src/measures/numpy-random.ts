/** @file NumPy's legacy generator: the Mersenne Twister (Matsumoto 1998) and whole numbers drawn from it. */

const size = 624;
const middle = 397;

/** Draws the numbers of `numpy.random.seed(seed)` and `numpy.random.randint`. */
export class NumpyRandom {
  readonly #state = new Uint32Array(size);
  #next = size;

  /** @param seed 0 to 2^32 - 1 */
  constructor(seed: number) {
    const state = this.#state;
    state[0] = seed;
    for (let i = 1; i < size; i++) {
      const last = state[i - 1]! ^ (state[i - 1]! >>> 30);
      state[i] = Math.imul(1812433253, last) + i;
    }
  }

  /** A whole number of 0 to `end` - 1: bits are masked, and drawn again where they are too large. */
  below(end: number): number {
    const largest = end - 1;
    if (largest <= 0) return 0; // nothing is drawn
    const mask = 2 ** (32 - Math.clz32(largest)) - 1;
    for (;;) {
      const value = (this.#draw() & mask) >>> 0;
      if (value <= largest) return value;
    }
  }

  /** 32 bits. */
  #draw(): number {
    if (this.#next === size) this.#twist();
    let y = this.#state[this.#next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #twist(): void {
    const state = this.#state;
    for (let i = 0; i < size; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % size]! & 0x7fffffff);
      state[i] = state[(i + middle) % size]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}
