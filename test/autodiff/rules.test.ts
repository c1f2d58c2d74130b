/** @file Every gradient rule against central differences. */
import test from 'ava';
import { flat, inferenceOnly, rules } from '../../src/autodiff/rules.ts';
import { cases } from './cases.ts';
import { matchesFiniteDifferences } from './finite-differences.ts';
import { coverage } from './ops-page.ts';

for (const [title, ...rest] of cases) test(title, matchesFiniteDifferences, ...rest);

test('every operator with a gradient has a case', (t) => {
  const covered = coverage();
  const without: ReadonlySet<unknown> = new Set([flat, inferenceOnly]);
  const missing = Object.entries(rules).filter(
    ([op, rule]) => !without.has(rule) && !covered.has(op),
  );
  t.deepEqual(
    missing.map(([op]) => op),
    [],
  );
});
