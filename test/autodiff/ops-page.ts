/** @file Makes docs/ops.md from the tables of the source and of the tests. */
import { flat, inferenceOnly, rules } from '../../src/autodiff/rules.ts';
import { Graph } from '../../src/graph/graph.ts';
import type { OpType } from '../../src/graph/ops.ts';
import { supports } from '../../src/graph/providers.ts';
import { cases } from './cases.ts';

/** How many cases hold an operator's gradient against central differences, by operator. */
export function coverage(): ReadonlyMap<string, number> {
  const count = new Map<string, number>();
  for (const [, build, ...inputs] of cases) {
    const graph = new Graph({ training: true });
    build(
      ...inputs.map((text, i) => {
        const shape = text.startsWith('scalar') ? [] : text.split(' ')[0]!.split('x').map(Number);
        return graph.input(`x${i}`, 'float32', shape);
      }),
    );
    for (const op of new Set(graph.nodes.map((node) => node.op))) {
      count.set(op, (count.get(op) ?? 0) + 1);
    }
  }
  return count;
}

const intro = `# Operators

What networks, losses and their gradients are made of. Made from the tables of \`src/graph\`, \`src/autodiff\` and
\`test/autodiff\`; see [autodiff.md](autodiff.md) for how to add one.

A gradient is there, or the operator is flat, having no slope, or a form for inference only. Each with a gradient
is held against central differences in so many cases. Forward, networks are held against PyTorch by
\`npm run parity\`.
`;

/** The page. */
export function opsPage(): string {
  const count = coverage();
  const rows = (Object.keys(rules) as OpType[]).map((op) => {
    const runs = (['cpu', 'webgpu', 'cuda'] as const).map((device) =>
      supports(device, op) ? 'yes' : '-',
    );
    const rule = rules[op];
    const gradient = rule === flat ? 'flat' : rule === inferenceOnly ? '-' : 'yes';
    const tested = gradient === 'yes' ? String(count.get(op) ?? 0) : '';
    return [`\`${op}\``, ...runs, gradient, tested];
  });
  const table = [['operator', 'cpu', 'webgpu', 'cuda', 'gradient', 'cases'], ...rows];
  const widths = table[0]!.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const [head, ...body] = table as [string[], ...string[][]];
  const rule = widths.map((width) => '-'.repeat(width));
  return `${intro}\n${[line(head), line(rule), ...body.map(line)].join('\n')}\n`;
}
