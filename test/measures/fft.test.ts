/** @file The Fourier transform against the sum that defines it. */
import test from 'ava';
import { makeFft } from '../../src/measures/fft.ts';
import { random } from '../helpers/random.ts';

test('every length gives the sum that defines it', (t) => {
  const next = random(1);
  for (const n of [1, 2, 3, 4, 5, 7, 8, 12, 16, 31, 45, 64, 97, 100]) {
    const re = Float64Array.from({ length: n }, () => next() - 0.5);
    const im = Float64Array.from({ length: n }, () => next() - 0.5);
    const [a, b] = [re.slice(), im.slice()];
    makeFft(n)(a, b);
    for (let k = 0; k < n; k++) {
      let [x, y] = [0, 0];
      for (let j = 0; j < n; j++) {
        const angle = (-2 * Math.PI * k * j) / n;
        x += re[j]! * Math.cos(angle) - im[j]! * Math.sin(angle);
        y += re[j]! * Math.sin(angle) + im[j]! * Math.cos(angle);
      }
      t.true(Math.abs(a[k]! - x) < 1e-11 && Math.abs(b[k]! - y) < 1e-11, `${n}: ${k}`);
    }
  }
});
