import test from 'ava';
import {
  crop,
  cropSize,
  gridCrops,
  largeEnough,
  randomCrops,
} from '../../src/measures/maniqa-crops.ts';
import { float32 } from '../../src/tensor/tensor.ts';

test("crops are those of the authors' script: one generator for all pictures", (t) => {
  const choose = randomCrops();
  const first = choose(512, 512);
  t.is(first.length, 20);
  t.deepEqual(first.slice(0, 2), [
    { top: 98, left: 230 },
    { top: 17, left: 83 },
  ]);
  t.deepEqual(choose(512, 512)[0], { top: 158, left: 180 }); // the second picture of theirs
  t.deepEqual(randomCrops()(512, 512), first);
});

test('a grid spreads 20 crops from edge to edge, the same for every picture', (t) => {
  const choose = gridCrops();
  const corners = choose(300, 512);
  t.is(corners.length, 20);
  t.deepEqual(corners[0], { top: 0, left: 0 });
  t.deepEqual(corners.at(-1), { top: 300 - cropSize, left: 512 - cropSize });
  t.deepEqual(choose(300, 512), corners);
  t.deepEqual([...new Set(gridCrops()(225, 225).map(({ top }) => top))], [0, 1]);
});

test('a picture is enlarged only when a side is 224 or less', (t) => {
  const planes = (height: number, width: number) =>
    float32([3, height, width], new Float32Array(3 * height * width));
  t.deepEqual(largeEnough(planes(224, 300)).shape, [3, 225, Math.floor((300 * 225) / 224)]);
  t.deepEqual(largeEnough(planes(400, 100)).shape, [3, 900, 225]);
  const large = planes(225, 225);
  t.is(largeEnough(large), large);
});

test('a crop holds the pixels of its place, plane by plane', (t) => {
  const [height, width] = [230, 240];
  const picture = float32(
    [3, height, width],
    Float32Array.from({ length: 3 * height * width }, (_, i) => i),
  );
  const { shape, data } = crop(picture, { top: 3, left: 5 });
  t.deepEqual(shape, [1, 3, cropSize, cropSize]);
  t.is(data[0], 3 * width + 5);
  t.is(data[cropSize], 4 * width + 5);
  t.is(data.at(-1), (2 * height + 3 + cropSize - 1) * width + 5 + cropSize - 1);
});
