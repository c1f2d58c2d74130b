/** @file The choice of a device: what is tried, believed, remembered and said. */
import test from 'ava';
import { type Answers, chooseDevice, type Trials } from '../../src/pipeline/device.ts';
import { prove, provingGraph, provingSession, type Proof } from '../../src/pipeline/proving.ts';
import type { Session } from '../../src/runtime/session.ts';
import { DeviceError, UsageError } from '../../src/tensor/errors.ts';
import { webgpuTest } from '../helpers/vulkan.ts';

const quick: Proof = { right: true, seconds: 0.01, processor: 0.1 };

/** A machine on which `proofs` come out; what is not among them has an obstacle. */
function machine(proofs: Answers): Trials & { readonly tried: string[] } {
  let answers: Answers = {};
  const tried: string[] = [];
  return {
    tried,
    obstacle: (provider) => (proofs[provider] ? undefined : `no ${provider} here`),
    async prove(device) {
      tried.push(device);
      return await Promise.resolve(proofs[device]!);
    },
    recall: async () => await Promise.resolve(answers),
    async remember(next) {
      answers = next;
      await Promise.resolve();
    },
  };
}

test('auto takes CUDA, then WebGPU, then the processor, and says why', async (t) => {
  t.deepEqual(await chooseDevice('auto', machine({ cuda: quick, webgpu: quick })), {
    device: 'cuda',
    why: 'cuda',
  });
  t.deepEqual(await chooseDevice('auto', machine({ webgpu: quick })), {
    device: 'webgpu',
    why: 'webgpu; not cuda: no cuda here',
  });
  t.deepEqual(await chooseDevice('auto', machine({})), {
    device: 'cpu',
    why: 'cpu; not cuda: no cuda here; not webgpu: no webgpu here',
  });
});

test('a device that computes wrongly, or WebGPU slower than the processor, is not taken', async (t) => {
  const wrong: Proof = { right: false, reason: 'it computes wrongly (off by 0.17)' };
  const slow: Proof = { right: true, seconds: 1.3, processor: 0.1 };
  const { device, why } = await chooseDevice('auto', machine({ cuda: wrong, webgpu: slow }));
  t.is(device, 'cpu');
  t.is(
    why,
    'cpu; not cuda: it computes wrongly (off by 0.17); not webgpu: it takes 13 times as long as the processor',
  );
});

test('an answer is remembered; a refused device is tried again when it is named', async (t) => {
  const here = machine({ cuda: { right: false, reason: 'no' }, webgpu: quick });
  await chooseDevice('auto', here);
  await chooseDevice('auto', here);
  t.deepEqual(here.tried, ['cuda', 'webgpu']);
  await t.throwsAsync(chooseDevice('cuda', here), { instanceOf: DeviceError });
  await chooseDevice('webgpu', here);
  t.deepEqual(here.tried, ['cuda', 'webgpu', 'cuda']);
});

test('a device that is named and cannot be used is refused in one line, with the reason', async (t) => {
  const error = await t.throwsAsync(chooseDevice('cuda:1', machine({})), {
    instanceOf: DeviceError,
  });
  t.regex(error.message, /^cuda:1: expected a device that works, got: no cuda here\. .*doctor/);
  await t.throwsAsync(chooseDevice('tpu', machine({})), { instanceOf: UsageError });
  t.deepEqual(await chooseDevice('cpu', machine({})), { device: 'cpu' });
});

test('the proving model tells a device that computes wrongly, fails, or gives no numbers', async (t) => {
  const spoiled = async (change: (data: Float32Array) => void): Promise<Proof> =>
    prove('cpu', async (device, graph): Promise<Session> => {
      const session = await provingSession(device, graph);
      return {
        ...session,
        async run(feeds) {
          const results = await session.run(feeds);
          change(results['y']!.data as Float32Array);
          return results;
        },
      };
    });
  t.true((await spoiled(() => undefined)).right);
  // What MultiHeadAttention does on a bad provider: 10 to 20 % off.
  t.regex(
    (await spoiled((y) => y.forEach((v, i) => (y[i] = v * (1 + 0.15 * Math.sin(i)))))).reason!,
    /^it computes wrongly \(off by 0\.1/,
  );
  t.false((await spoiled((y) => (y[7] = NaN))).right);
  const failing = await prove('cuda', async () => {
    await Promise.resolve();
    throw new DeviceError('cuda: onnxruntime refused the model: no card. See the doctor.');
  });
  t.deepEqual(failing, { right: false, reason: 'no card. See the doctor.' });
});

webgpuTest('WebGPU computes the proving model rightly in its own form', async (t) => {
  t.true((await prove('webgpu')).right);
});

webgpuTest('the proving model finds that MultiHeadAttention is wrong on WebGPU', async (t) => {
  // The processor's form has it.
  const { right, reason } = await prove('webgpu', (device) =>
    provingSession(device, provingGraph('cpu')),
  );
  t.false(right);
  t.regex(reason!, /^it computes wrongly/);
});
