/** @file Where prompts come from: tags, or nothing, as the model was trained or as was said. */
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { readPicture } from '../../src/image/codec.ts';
import type { Picture } from '../../src/image/picture.ts';
import { openUpscaler, type LocalUpscaler } from '../../src/pipeline/local.ts';
import { openModel } from '../../src/pipeline/model.ts';
import { importTagger } from '../../src/pipeline/tagger-model.ts';
import type { UpscalerOptions } from '../../src/pipeline/types.ts';
import { PathError, UsageError } from '../../src/tensor/errors.ts';
import { buildPrompt } from '../../src/text/prompt.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { golden } from '../helpers/golden.ts';

// Serial: a store of its own for every test, which an environment variable names.

const root = fileURLToPath(new URL('../fixtures/tiny/', import.meta.url));
/** Takes prompts; trained without tags, as nothing says otherwise. */
const model = `${root}models/tiny`;
/** Trained with tags, as every osediff.pkl. */
const lora = `${root}lora/osediff.pkl`;

async function open(t: ExecutionContext, options: UpscalerOptions): Promise<LocalUpscaler> {
  const upscaler = await openUpscaler({ model, device: 'cpu', ...options });
  t.teardown(() => upscaler.dispose());
  return upscaler;
}

function emptyStore(t: ExecutionContext): void {
  process.env['OSEDIFF_HOME'] = temporaryFolder(t);
}

test.serial('a LoRA says what its model was trained with', async (t) => {
  for (const [loras, expected] of [
    [[], 'null-prompt'],
    [[lora], 'dape'],
  ] as const) {
    const opened = await openModel(model, loras);
    t.is(opened.trainedWith, expected);
    await opened.close();
  }
});

test.serial('without a tagger, a model trained with tags says that it does without', async (t) => {
  emptyStore(t);
  const { model: summary } = await open(t, { loras: [lora] });
  t.is(summary.promptFrom, 'none');
  t.regex(
    summary.promptNote!,
    /trained with tags.*osediff model import --kind tagger.*--prompt-from none$/,
  );
  for (const options of [{}, { loras: [lora], promptFrom: 'none' }] as const) {
    const { model: quiet } = await open(t, options);
    t.is(quiet.promptFrom, 'none');
    t.is(quiet.promptNote, undefined);
  }
});

test.serial('tags that are asked for need a tagger, and a model that takes prompts', async (t) => {
  emptyStore(t);
  await t.throwsAsync(open(t, { promptFrom: 'dape' }), {
    instanceOf: PathError,
    message: /"dape": expected a tagger, got none of that name/,
  });
  await t.throwsAsync(open(t, { model: 'compact', promptFrom: 'dape' }), {
    instanceOf: UsageError,
    message: /compact: expected a model that takes prompts/,
  });
});

const tagger = golden('tagger/ram_swin_small.pth');
(tagger ? test.serial : test.serial.skip)(
  'tags of the enlarged picture stand before the words (needs ../shared)',
  async (t) => {
    emptyStore(t);
    const file = (name: string): string => golden(`tagger/${name}`)!;
    const lists = {
      tags: file('small_ram_tag_list.txt'),
      thresholds: file('small_ram_tag_list_threshold.txt'),
    };
    await importTagger(tagger!, { lora: file('DAPE_small.pth'), lists });
    const picture: Picture = await readPicture(file('input-b.png'));
    const tags = ['blind', 'charger', 'fleet', 'ironing board', 'zoo']; // small.json
    // At scale 1 the picture that is tagged is the picture itself.
    const options = { scale: 1, tile: 512 };

    const byDefault = await open(t, { loras: [lora] });
    t.is(byDefault.model.promptFrom, 'dape');
    t.is(byDefault.model.promptNote, undefined);
    const said = await open(t, { loras: [lora], promptFrom: 'none' });
    for (const way of [{}, { asPublished: true, mean: true }]) {
      const tagged = await byDefault.upscale(picture, { ...options, ...way, prompt: 'sharp' });
      const prompt = buildPrompt(tags, 'sharp');
      t.deepEqual(tagged, await said.upscale(picture, { ...options, ...way, prompt }));
      const bare = await said.upscale(picture, { ...options, ...way, prompt: 'sharp' });
      t.notDeepEqual(tagged.data, bare.data);
    }
  },
);
