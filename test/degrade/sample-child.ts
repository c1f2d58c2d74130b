/** @file Prints the digest of a series' first sample, to be run in a process of its own. */
import { createHash } from 'node:crypto';
import { openSamples } from '../../src/degrade/pool.ts';
import type { SampleSpec } from '../../src/degrade/sample.ts';

const pool = openSamples(JSON.parse(process.argv[2]!) as SampleSpec, { workers: 2 });
const { low, input } = await pool.next();
console.log(createHash('sha256').update(low.data).update(input.data).digest('hex'));
await pool.close();
