/** @file MUSIQ as a measure, on the scale of the people whose marks it was trained with. */
import { scope } from '../graph/scope.ts';
import { musiq as musiqNetwork, musiqConfig, type MusiqInputs } from '../networks/musiq.ts';
import { toPlanes } from '../image/picture.ts';
import { musiqPatches } from './musiq-patches.ts';
import { network } from './network.ts';
import type { NetworkMeasure } from './network-measure.ts';
import type { PartName } from './parts.ts';

/** Longer sides of the smaller versions of a picture, in the published networks. */
const sides = [224, 384];

/** @param name of the measure: `musiq` is the one trained on KonIQ */
function musiqMeasure(name: string, title: string, part: PartName): NetworkMeasure {
  return {
    name,
    title,
    better: 'higher',
    needsReference: false,
    digits: 2,
    needs: [part],
    start: async ([opened], runner) => {
      const config = musiqConfig(opened!.shapes, part);
      const net = network(runner, opened!, (graph, inputs) =>
        graph.output(
          'score',
          musiqNetwork(scope(graph, ''), inputs as unknown as MusiqInputs, config).score,
        ),
      );
      const cutting = { patch: config.patch, grid: config.grid, sides };
      return {
        close: () => net.release(),
        async add(result) {
          const planes = toPlanes({ ...result, channels: 3 }, 'signed');
          return Number((await net.run({ ...musiqPatches(planes, cutting) }))['score']!.data[0]);
        },
      };
    },
  };
}

export const musiq: NetworkMeasure = musiqMeasure('musiq', 'MUSIQ', 'musiq-koniq');

/** Trained on other marks: SPAQ and PaQ-2-PiQ from 0 to 100, AVA from 1 to 10. */
export const musiqVariants: readonly NetworkMeasure[] = [
  musiqMeasure('musiq-spaq', 'MUSIQ (SPAQ)', 'musiq-spaq'),
  musiqMeasure('musiq-paq2piq', 'MUSIQ (PaQ-2-PiQ)', 'musiq-paq2piq'),
  musiqMeasure('musiq-ava', 'MUSIQ (AVA)', 'musiq-ava'),
];
