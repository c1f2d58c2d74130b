/** @file FID (Heusel 2017): the Frechet distance of what InceptionV3 sees in two sets of pictures. */
import { scope } from '../graph/scope.ts';
import { inception, inceptionFeatures } from '../networks/inception.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { cleanInput } from './fid-input.ts';
import { type Features, frechetDistance } from './frechet.ts';
import { network } from './network.ts';
import type { NetworkMeasure } from './network-measure.ts';

/** FID in `clean` mode: a number of the set, not of its pictures, and comparable at one count only. */
export const fid: NetworkMeasure = {
  name: 'fid',
  title: 'FID',
  better: 'lower',
  needsReference: true,
  digits: 2,
  needs: ['inception'],
  start: async ([part], runner) => {
    const net = network(runner, part!, (graph, { x }) =>
      graph.output('features', inception(scope(graph, ''), x!)),
    );
    const seen = { results: [] as Float32Array[], references: [] as Float32Array[] };
    const look = async (x: Tensor<'float32'>): Promise<Float32Array> =>
      (await net.run({ x }))['features']!.data as Float32Array;
    return {
      close: () => net.release(),
      async add(result, reference) {
        seen.results.push(await look(cleanInput(result)));
        seen.references.push(await look(cleanInput(reference!)));
        return undefined;
      },
      total: async () => {
        if (seen.results.length < 2) return NaN; // one picture has no covariance
        return frechetDistance(joined(seen.references), joined(seen.results));
      },
    };
  },
};

function joined(rows: readonly Float32Array[]): Features {
  const data = new Float32Array(rows.length * inceptionFeatures);
  rows.forEach((row, i) => data.set(row, i * inceptionFeatures));
  return { count: rows.length, size: inceptionFeatures, data };
}
