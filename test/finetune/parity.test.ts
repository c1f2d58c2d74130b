/** @file Algorithm 1 against the official program in PyTorch (golden vectors: `train/`). */
import test from 'ava';
import { golden } from '../helpers/golden.ts';
import { parityTrain } from '../parity/train.ts';

const folder = golden('');
const vectors = golden('train');
const checked = vectors ? test : test.skip;
const why = vectors ? '' : ' (skipped: ../shared/golden/train is absent)';

checked(`losses, gradients and weights are the official program's${why}`, async (t) => {
  t.timeout(600_000);
  const files = new Map<string, number>();
  for await (const { status, file, key, error, tolerance } of parityTrain(folder!)) {
    files.set(file, (files.get(file) ?? 0) + 1);
    if (status !== 'ok') t.fail(`${file}: ${key} is off by ${error}, allowed ${tolerance}`);
  }
  t.deepEqual(
    [...files.keys()].sort(),
    ['algorithm1', 'algorithm1_as_run'].flatMap((name) => [
      `train/${name}.json`,
      `train/${name}.safetensors`,
    ]),
  );
  for (const count of files.values()) t.true(count > 5);
});
