import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Command } from 'commander';
import { addUpscale, type Load } from '../../src/cli/commands/upscale.ts';
import { restoreSignals } from '../../src/cli/interrupt.ts';
import type { UpscaleOptions, UpscalerOptions } from '../../src/pipeline/types.ts';
import { UsageError } from '../../src/tensor/errors.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { nearestLoader } from '../helpers/nearest-upscaler.ts';
import { drawPicture } from '../helpers/picture-files.ts';

test.after(restoreSignals);

/** What the model and the upscaler are called with for a command line. */
async function callsOf(
  t: ExecutionContext,
  line: string,
): Promise<{ model: UpscalerOptions; upscale: UpscaleOptions }> {
  const input = await drawPicture(join(temporaryFolder(t), 'p.png'));
  let model: UpscalerOptions = {};
  let upscale: UpscaleOptions = {};
  const program = new Command().exitOverride();
  const load: Load = (options) => {
    model = options;
    return nearestLoader({ before: (_, call) => (upscale = call) })(options);
  };
  const nowhere = { write: () => true };
  addUpscale(program, load, { stdout: nowhere, stderr: nowhere });
  const args = ['upscale', input, ...line.split(' ').filter(Boolean)];
  await program.parseAsync(args, { from: 'user' });
  const { onProgress, signal, ...rest } = upscale;
  t.is(typeof onProgress, 'function');
  t.true(signal instanceof AbortSignal);
  return { model, upscale: rest };
}

const passes = test.macro<[string, Partial<UpscalerOptions>, UpscaleOptions]>({
  async exec(t, line, model, upscale) {
    const calls = await callsOf(t, line);
    t.deepEqual(calls.model, {
      model: 'compact',
      device: 'auto',
      precision: 'fp32',
      loras: [],
      ...model,
    });
    t.deepEqual(calls.upscale, { scale: 4, color: 'adain', ...upscale });
  },
  title: (_, line) => `passes "${line}" on`,
});

test.serial(passes, '', {}, {});
test.serial(passes, '--scale 2.5 --color none', {}, { scale: 2.5, color: 'none' });
test.serial(passes, '--tile 256 --overlap 0', {}, { tile: 256, overlap: 0 });
test.serial(
  passes,
  '--model sd21 --device cuda:1 --precision fp16',
  { model: 'sd21', device: 'cuda:1', precision: 'fp16' },
  {},
);
test.serial(
  passes,
  '--lora a.pkl --lora b.pkl:0.5',
  { loras: [{ path: 'a.pkl' }, { path: 'b.pkl', strength: 0.5 }] },
  {},
);
test.serial(passes, '--prompt leaves', {}, { prompt: 'leaves' });
test.serial(passes, '--prompt-from dape', { promptFrom: 'dape' }, {});
test.serial(passes, '--prompt-from none --tagger mine', { promptFrom: 'none', tagger: 'mine' }, {});
test.serial(passes, '--sample --seed 7', {}, { sample: true, seed: 7 });
test.serial(passes, '--as-published --seed 7', {}, { asPublished: true, seed: 7 });
test.serial(passes, '--as-published --mean', {}, { asPublished: true, mean: true });

const atOdds = test.macro<[string]>({
  async exec(t, line) {
    await t.throwsAsync(callsOf(t, line), { instanceOf: UsageError });
  },
  title: (_, line) => `refuses "${line}"`,
});

test.serial(atOdds, '--seed 7');
test.serial(atOdds, '--mean');
test.serial(atOdds, '--as-published --mean --seed 7');
test.serial(atOdds, '--as-published --mean --sample');
