/** @file Every gradient rule against central differences. */
import test from 'ava';
import { flat, inferenceOnly, rules } from '../../src/autodiff/rules.ts';
import { Graph } from '../../src/graph/graph.ts';
import type { OpType } from '../../src/graph/ops.ts';
import { cases } from './cases.ts';
import { matchesFiniteDifferences } from './finite-differences.ts';

for (const [title, ...rest] of cases) test(title, matchesFiniteDifferences, ...rest);

test('every operator with a gradient has a case', (t) => {
  const covered = new Set<string>();
  for (const [, build, ...inputs] of cases) {
    const graph = new Graph({ training: true });
    build(
      ...inputs.map((text, i) => {
        const shape = text.startsWith('scalar') ? [] : text.split(' ')[0]!.split('x').map(Number);
        return graph.input(`x${i}`, 'float32', shape);
      }),
    );
    for (const { op } of graph.nodes) covered.add(op);
  }
  t.deepEqual(
    Object.keys(rules).filter(
      (op) =>
        rules[op as OpType] !== flat && rules[op as OpType] !== inferenceOnly && !covered.has(op),
    ),
    [],
  );
});
