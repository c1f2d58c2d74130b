/** @file Conversions between float32 and the two 16-bit floats, rounding to nearest even (IEEE 754-2019). */
import type { Tensor } from './tensor.ts';

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** The float16 bits nearest to `value`: ties to even, overflow to infinity. */
export function toFloat16Bits(value: number): number {
  f32[0] = value;
  const bits = u32[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above round to infinity
  if (magnitude < 0x38800000) {
    // Subnormal: adding 0.5 lets the float32 adder round at the right bit, 2^-24.
    f32[0] = Math.abs(value) + 0.5;
    return sign | (u32[0]! - 0x3f000000);
  }
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}

/** The value of float16 `bits`. */
export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bfloat16 bits nearest to `value`, ties to even. */
export function toBfloat16Bits(value: number): number {
  f32[0] = value;
  const bits = u32[0]!;
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

let table: Float32Array | undefined;

/** All 65,536 float16 values, so that whole checkpoints convert at memory speed. */
function float16Table(): Float32Array {
  return (table ??= Float32Array.from({ length: 65536 }, (_, bits) => fromFloat16Bits(bits)));
}

/** Widens float16 bits. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  const values = float16Table();
  const out = new Float32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = values[bits[i]!]!;
  return out;
}

/** Widens bfloat16 bits: exact. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = bits[i]! << 16;
  return new Float32Array(out.buffer);
}

/** Narrows to float16 bits, rounding to nearest even. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = toFloat16Bits(values[i]!);
  return out;
}

/** Narrows to bfloat16 bits, rounding to nearest even. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = toBfloat16Bits(values[i]!);
  return out;
}

/** Any real-valued tensor as float32; float32 itself is returned as it is. */
export function toFloat32(x: Tensor): Tensor<'float32'> {
  const { dtype, shape, data } = x;
  if (dtype === 'float32') return x as Tensor<'float32'>;
  if (dtype === 'float16')
    return { dtype: 'float32', shape, data: float16ToFloat32(data as Uint16Array) };
  if (dtype === 'bfloat16')
    return { dtype: 'float32', shape, data: bfloat16ToFloat32(data as Uint16Array) };
  return {
    dtype: 'float32',
    shape,
    data: Float32Array.from(data as ArrayLike<number | bigint>, Number),
  };
}
