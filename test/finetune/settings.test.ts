/** @file The paper's defaults, its ablations, and which modules get a LoRA. */
import test from 'ava';
import { algorithm1 } from '../../src/finetune/algorithm1.ts';
import { ranksOfLora } from '../../src/finetune/initial.ts';
import {
  paperSettings,
  trainingConfig,
  type TrainingSettings,
} from '../../src/finetune/settings.ts';
import { modelConfig } from '../../src/networks/model-config.ts';
import { requiredByUnet, requiredByVae } from '../../src/networks/required.ts';
import { unetModules, vaeEncoderModules } from '../../src/finetune/lora-modules.ts';
import { readLora } from '../../src/weights/lora-file.ts';
import { readConfigs } from '../../src/weights/model-folder.ts';
import { golden } from '../helpers/golden.ts';
import { smallGenerator, textlessUnet } from './small.ts';

const base = { generator: smallGenerator, tokens: 3 };
const settings: TrainingSettings = { ...paperSettings, pixels: 64, rankUnet: 2, rankVae: 1 };

function names(changes: Partial<TrainingSettings>): string[] {
  const { parameters } = algorithm1(trainingConfig(base, { ...settings, ...changes }));
  return Object.values(parameters)
    .flat()
    .map(({ name }) => name);
}

const none = { l2: 0, perceptual: 0, vsd: 0, gan: 0 };

test('by default UNet, encoder and regularizer have LoRA, and conv_in is trained', (t) => {
  const all = names({});
  t.true(all.includes('unet.conv_in.weight'));
  t.true(all.includes('vae.quant_conv.lora_A.default_encoder.weight'));
  t.true(all.includes('unet.mid_block.resnets.0.conv1.lora_B.default_others.weight'));
  t.true(all.includes('reg.conv_out.lora_A.default_decoder.weight'));
  t.false(all.some((name) => name.startsWith('vae.decoder')));
});

test('without distillation there is no regularizer', (t) => {
  const all = names({ factors: { ...none, l2: 1, perceptual: 2 } });
  t.false(all.some((name) => name.startsWith('reg.')));
});

test('a GAN loss brings a discriminator', (t) => {
  const all = names({ factors: { ...none, l2: 1, gan: 1 } });
  t.true(all.includes('discriminator.layers.0.weight'));
});

test('parts are trained as named', (t) => {
  const decoder = names({ parts: ['vae-decoder'], factors: { ...none, l2: 1 } });
  t.true(decoder.every((name) => /^vae\.(decoder|post_quant_conv)\b.*\.lora_/.test(name)));
  const whole = names({ parts: ['unet'], method: 'whole' });
  t.true(whole.includes('unet.mid_block.resnets.0.norm1.weight'));
  t.true(whole.includes('reg.time_embedding.linear_1.weight'));
  t.false(whole.some((name) => name.includes('.lora_') || name.startsWith('vae.')));
});

test('as published only the middle of the regularizer learns', (t) => {
  const own = names({ asPublished: true }).filter((name) => name.startsWith('reg.'));
  t.true(own.length > 0 && own.every((name) => name.startsWith('reg.mid_block.')));
});

test('ranks of UNet and VAE are apart', (t) => {
  const { ranks, regularizer } = trainingConfig(base, settings);
  t.deepEqual(ranks.get('unet.conv_in'), { rank: 2, scale: 4 });
  t.deepEqual(ranks.get('vae.encoder.conv_in'), { rank: 1, scale: 8 });
  t.deepEqual(regularizer === 'all' ? undefined : regularizer.get('unet.conv_in'), {
    rank: 2,
    scale: 4,
  });
});

test('a model without text needs none, and one without VGG is judged by bands', (t) => {
  const generator = { ...smallGenerator, unet: textlessUnet };
  const config = trainingConfig({ generator, tokens: 3 }, settings);
  t.is(config.perceptual.kind, 'bands');
  t.false(algorithm1(config).graph.inputs.some(({ name }) => name === 'text'));
});

const folder = golden('');
const checked = folder ? test : test.skip;
const why = folder ? '' : ' (skipped: ../shared/golden is absent)';

checked(`the modules with a LoRA are those of the official checkpoint${why}`, async (t) => {
  const json = await readConfigs(`${folder!}/models/tiny`);
  const { generator } = modelConfig({
    unet: json.parts.get('unet')!,
    vae: json.parts.get('vae')!,
    textEncoder: json.parts.get('text_encoder'),
    scheduler: json.scheduler,
    own: json.own,
  });
  const ours = [
    ...unetModules(requiredByUnet(generator.unet)),
    ...vaeEncoderModules(requiredByVae(generator.vae)),
  ];
  const theirs = ranksOfLora(await readLora(`${folder!}/lora/osediff.pkl`));
  t.deepEqual(ours.toSorted(), [...theirs.keys()].toSorted());
  t.deepEqual(theirs.get('unet.conv_in'), { rank: 4, scale: 2 });
});
