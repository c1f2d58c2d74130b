import test from 'ava';
import {
  bfloat16ToFloat32,
  float32ToBfloat16,
  fromFloat16Bits,
  toFloat16Bits,
} from '../../src/tensor/float16.ts';

test('every finite float16 survives the round trip', (t) => {
  for (let bits = 0; bits < 65536; bits++) {
    if ((bits & 0x7c00) === 0x7c00 && bits & 0x3ff) continue; // NaNs keep no payload
    t.is(toFloat16Bits(fromFloat16Bits(bits)), bits);
  }
});

for (const [value, bits] of [
  [65504, 0x7bff],
  [65519.996, 0x7bff],
  [65520, 0x7c00],
  [2 ** -25, 0], // a tie: to even, zero
  [2 ** -25 * 1.001, 1],
  [1 + 2 ** -11, 0x3c00], // a tie: to even, down
  [1 + 3 * 2 ** -11, 0x3c02], // a tie: to even, up
  [-0, 0x8000],
  [Number.NaN, 0x7e00],
] as const) {
  test(`rounds ${value} to float16 bits ${bits.toString(16)}`, (t) =>
    t.is(toFloat16Bits(value), bits));
}

test('bfloat16 rounds to nearest even', (t) => {
  const values = new Float32Array([
    1,
    1 + 2 ** -8,
    1 + 3 * 2 ** -8,
    -3.140625,
    Number.POSITIVE_INFINITY,
  ]);
  t.deepEqual(
    [...bfloat16ToFloat32(float32ToBfloat16(values))],
    [1, 1, 1 + 2 ** -6, -3.140625, Number.POSITIVE_INFINITY],
  );
});
