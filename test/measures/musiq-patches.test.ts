import test from 'ava';
import { musiqPatches } from '../../src/measures/musiq-patches.ts';
import { float32, type Tensor } from '../../src/tensor/tensor.ts';

const cutting = { patch: 4, grid: 3, sides: [8] };

/** Every value its own. */
function numbered(height: number, width: number): Tensor<'float32'> {
  const length = 3 * height * width;
  return float32(
    [3, height, width],
    Float32Array.from({ length }, (_, i) => i + 1),
  );
}

test('the smaller version is filled up to a square of patches, the picture itself is not', (t) => {
  const { patches, scales, mask, places } = musiqPatches(numbered(8, 16), cutting);
  // 4x8 pixels: 1x2 patches of 2x2; then 8x16 pixels: 2x4 patches.
  t.deepEqual([...mask.data], [1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
  t.deepEqual([...scales.data].map(Number), [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
  // Rows 0 and 1 of 2 are rows 0 and 1 of 3 (floor of 1.5); columns 0 to 3 of 4 are 0, 0, 1, 2.
  t.deepEqual([...places.data].map(Number), [0, 1, 0, 0, 0, 0, 1, 2, 3, 3, 4, 5]);
  t.deepEqual(patches.shape, [12, 3, 4, 4]);
  t.true(patches.data.subarray(2 * 48, 4 * 48).every((v) => v === 0));
});

test('patches hold their pixels channel by channel', (t) => {
  const picture = numbered(8, 16);
  const { patches } = musiqPatches(picture, cutting);
  const patch = 4 + 6; // second row, third column, of the picture itself
  for (const [c, y, x] of [
    [0, 0, 0],
    [1, 2, 3],
    [2, 3, 1],
  ] as const) {
    const got = patches.data[((patch * 3 + c) * 4 + y) * 4 + x];
    t.is(got, picture.data[(c * 8 + 4 + y) * 16 + 8 + x]);
  }
});

test('a picture lies in the middle of whole patches, the odd row and column of grey at the end', (t) => {
  const { patches } = musiqPatches(numbered(5, 4), { ...cutting, sides: [] });
  t.is(patches.shape[0], 2);
  const column = Array.from(
    { length: 8 },
    (_, y) => patches.data[(Math.floor(y / 4) * 3 * 4 + (y % 4)) * 4],
  );
  t.deepEqual(column, [0, 1, 5, 9, 13, 17, 0, 0]);
});

test('sides are rounded to even halves', (t) => {
  // 3 of 16 pixels at 8: 1.5 rows become 2; 5 of 16: 2.5 become 2 as well.
  const rows = (height: number): number => {
    const { patches } = musiqPatches(numbered(height, 16), { patch: 1, grid: 3, sides: [8] });
    return (patches.shape[0]! - 64 - height * 16) / 8;
  };
  t.is(rows(3), 0);
  const { mask } = musiqPatches(numbered(3, 16), { patch: 1, grid: 3, sides: [8] });
  t.is(mask.data.slice(0, 64).filter((v) => v === 1).length, 2 * 8);
  const { mask: other } = musiqPatches(numbered(5, 16), { patch: 1, grid: 3, sides: [8] });
  t.is(other.data.slice(0, 64).filter((v) => v === 1).length, 2 * 8);
});
