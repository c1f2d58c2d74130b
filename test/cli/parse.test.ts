import test from 'ava';
import { InvalidArgumentError } from 'commander';
import { device, integerFrom, lora, numberBetween } from '../../src/cli/parse.ts';

const takes = test.macro<[(text: string) => unknown, string, unknown]>({
  exec: (t, parse, text, value) => t.deepEqual(parse(text), value),
  title: (what = '', _, text) => `${what} "${text}" is taken`,
});
const refuses = test.macro<[(text: string) => unknown, string]>({
  exec: (t, parse, text) => void t.throws(() => parse(text), { instanceOf: InvalidArgumentError }),
  title: (what = '', _, text) => `${what} "${text}" is refused`,
});

test('whole number', takes, integerFrom(1), '512', 512);
test('whole number', takes, integerFrom(0), '0', 0);
for (const text of ['0', '-1', '1.5', '1e3', '', ' 4', '0x10', '9007199254740993', 'NaN']) {
  test('whole number from 1', refuses, integerFrom(1), text);
}

test('number', takes, numberBetween(1, 16), '4', 4);
test('number', takes, numberBetween(1, 16), '1.5', 1.5);
for (const text of ['0.5', '17', '-2', 'x4', '4x', '', '1e1', 'Infinity']) {
  test('number from 1 to 16', refuses, numberBetween(1, 16), text);
}

for (const text of ['auto', 'cpu', 'webgpu', 'cuda', 'cuda:1'])
  test('device', takes, device, text, text);
for (const text of ['gpu', 'cuda:', 'cuda:x', 'CPU', '']) test('device', refuses, device, text);

test('LoRA', takes, lora, 'a.pkl', [{ path: 'a.pkl' }]);
test('LoRA', takes, lora, 'a.pkl:0.5', [{ path: 'a.pkl', strength: 0.5 }]);
test('LoRA', takes, lora, 'a.pkl:-1', [{ path: 'a.pkl', strength: -1 }]);
test('LoRA', takes, lora, 'C:\\models\\a.pkl', [{ path: 'C:\\models\\a.pkl' }]);
test('LoRA', takes, lora, 'C:\\models\\a.pkl:.8', [{ path: 'C:\\models\\a.pkl', strength: 0.8 }]);
test('LoRA', takes, lora, 'a:b.pkl', [{ path: 'a:b.pkl' }]);
test('LoRA', refuses, lora, '');

test('LoRAs add up in their order', (t) => {
  t.deepEqual(lora('b:2', lora('a')), [{ path: 'a' }, { path: 'b', strength: 2 }]);
});
