/** @file Gradients of whole networks against PyTorch's autograd (golden vectors: `gradients/`). */
import test from 'ava';
import { golden } from '../helpers/golden.ts';
import { parityGradients } from '../parity/gradients.ts';

const folder = golden('');
const vectors = golden('gradients');
const checked = vectors ? test : test.skip;
const why = vectors ? '' : ' (skipped: ../shared/golden/gradients is absent)';

checked(`every weight and input of the networks has PyTorch's gradient${why}`, async (t) => {
  const files = new Map<string, number>();
  for await (const { status, file, key, error, tolerance } of parityGradients(folder!)) {
    files.set(file, (files.get(file) ?? 0) + 1);
    if (status !== 'ok') t.fail(`${file}: ${key} is off by ${error}, allowed ${tolerance}`);
  }
  t.deepEqual(
    [...files.keys()].sort(),
    ['lpips_thin', 'unet', 'vae_decoder', 'vae_encoder'].map(
      (name) => `gradients/${name}.safetensors`,
    ),
  );
  for (const count of files.values()) t.true(count > 5);
});
