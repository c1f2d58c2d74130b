/** @file First values of parameters, and a LoRA's way to parameters and back. */
import test from 'ava';
import {
  initialParameters,
  loraOfParameters,
  parametersOfLora,
  ranksOfLora,
} from '../../src/finetune/initial.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { float32 } from '../../src/tensor/tensor.ts';
import type { Lora } from '../../src/weights/lora.ts';

function inputs(shapes: Record<string, readonly number[]>): Value[] {
  const graph = new Graph({ training: true });
  return Object.entries(shapes).map(([name, shape]) => graph.input(name, 'float32', shape));
}

test('a fresh LoRA changes nothing, and its A has deviation 1/rank', async (t) => {
  const wanted = inputs({
    'unet.conv_in.lora_A.default_encoder.weight': [4, 500],
    'unet.conv_in.lora_B.default_encoder.weight': [8, 4],
  });
  const values = await initialParameters(wanted, 3, () => Promise.reject(new Error('not asked')));
  const a = values.get('unet.conv_in.lora_A.default_encoder.weight')!.data;
  const deviation = Math.sqrt(a.reduce((sum, v) => sum + v * v, 0) / a.length);
  t.true(Math.abs(deviation - 0.25) < 0.02);
  t.true(values.get('unet.conv_in.lora_B.default_encoder.weight')!.data.every((v) => v === 0));
  const again = await initialParameters(wanted, 3, () => Promise.reject(new Error('not asked')));
  t.deepEqual(again, values);
});

test("whole weights begin as the base's, the regularizer's as the prior's", async (t) => {
  const asked: string[] = [];
  const stored = float32([2], [5, 6]);
  const wanted = inputs({ 'unet.conv_in.bias': [2], 'reg.conv_in.bias': [2] });
  const values = await initialParameters(
    wanted,
    0,
    async (key) => {
      asked.push(key);
      return await Promise.resolve(stored);
    },
    'prior',
  );
  t.deepEqual(asked, ['unet.conv_in.bias', 'prior.conv_in.bias']);
  values.get('unet.conv_in.bias')!.data[0] = 0;
  t.deepEqual([...stored.data], [5, 6], 'the reader keeps what it has');
});

test('a discriminator begins small, its norms at one', async (t) => {
  const wanted = inputs({
    'discriminator.layers.0.weight': [8, 3, 4, 4],
    'discriminator.layers.0.bias': [8],
    'discriminator.norms.1.weight': [8],
  });
  const values = await initialParameters(wanted, 0, () => Promise.reject(new Error('not asked')));
  t.true(values.get('discriminator.layers.0.weight')!.data.every((v) => Math.abs(v) < 0.2));
  t.true(values.get('discriminator.layers.0.bias')!.data.every((v) => v === 0));
  t.true(values.get('discriminator.norms.1.weight')!.data.every((v) => v === 1));
});

test('a LoRA survives the way to parameters and back', (t) => {
  const lora: Lora = {
    label: 'test',
    layers: new Map([
      [
        'unet.mid_block.resnets.0.conv1',
        {
          rank: 1,
          scale: 8,
          down: float32([1, 2, 1, 1], [1, 2]),
          up: float32([2, 1, 1, 1], [3, 4]),
        },
      ],
    ]),
    replaced: new Map([['unet.conv_in.bias', float32([1], [7])]]),
    metadata: {},
  };
  const values = parametersOfLora(lora);
  t.true(values.has('unet.mid_block.resnets.0.conv1.lora_A.default_others.weight'));
  t.deepEqual(loraOfParameters(values, ranksOfLora(lora), 'test'), lora);
});
