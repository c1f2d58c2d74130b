/** @file The benchmark: every part, counts that add up, Markdown and JSON. */
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { figuresTable } from '../../src/cli/commands/benchmark.ts';
import type { Figures } from '../../src/pipeline/benchmark.ts';
import { mainFile, runCli } from '../helpers/cli.ts';

const model = fileURLToPath(new URL('../fixtures/tiny/models/tiny-compact', import.meta.url));

test('measures each part, and from file to file', async (t) => {
  const args = ['benchmark', '--model', model, '--size', '32', '--device', 'cpu', '--runs', '1'];
  const { code, stdout, stderr } = await runCli([...args, '--json'], { file: mainFile });
  t.is(code, 0, stderr);
  const figures = JSON.parse(stdout) as Figures;
  t.deepEqual(
    figures.parts.map(({ name }) => name),
    ['encoder', 'unet', 'decoder'],
  );
  for (const part of figures.parts) {
    t.true(part.seconds > 0 && part.parameters > 0 && part.multiplyAdds > 0, part.name);
  }
  const sum = (of: 'parameters' | 'multiplyAdds'): number =>
    figures.parts.reduce((total, part) => total + part[of], 0);
  t.is(figures.parameters, sum('parameters'));
  t.is(figures.multiplyAdds, sum('multiplyAdds'));
  t.is(figures.steps, 1);
  t.true(figures.fileSeconds > 0 && figures.peakBytes > 1e7);
});

test('prints a table in Markdown', (t) => {
  const text = figuresTable({
    model: 'm',
    device: 'cpu',
    precision: 'fp32',
    size: 512,
    steps: 1,
    parts: [{ name: 'unet', seconds: 0.5, parameters: 2e6, multiplyAdds: 3e9 }],
    forwardSeconds: 0.5,
    fileSeconds: 0.75,
    parameters: 2e6,
    multiplyAdds: 3e9,
    peakBytes: 1e9,
  });
  t.true(text.includes('| unet | 0.500 | 2.00 | 3.00 |'));
  t.true(text.includes('| file to file | 0.750 | | |'));
});
