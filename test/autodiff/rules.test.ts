/** @file Every gradient rule against central differences. */
import test from 'ava';
import { rules } from '../../src/autodiff/rules.ts';
import { Graph } from '../../src/graph/graph.ts';
import { cases } from './cases.ts';
import { matchesFiniteDifferences } from './finite-differences.ts';

for (const [title, ...rest] of cases) test(title, matchesFiniteDifferences, ...rest);

/** Flat wherever they are, or no numbers at all. */
const flat = ['Equal', 'Greater', 'Less', 'Sign', 'Floor', 'Shape'];

test('every operator with a gradient has a case', (t) => {
  const covered = new Set<string>(flat);
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
    Object.keys(rules).filter((op) => !covered.has(op)),
    [],
  );
});
