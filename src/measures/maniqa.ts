/** @file MANIQA as a measure: the weighted mean over the patches of 20 crops. */
import { scope } from '../graph/scope.ts';
import { toPlanes } from '../image/picture.ts';
import { maniqa as maniqaNetwork } from '../networks/maniqa.ts';
import { maniqaConfig } from '../networks/maniqa-config.ts';
import { type ChooseCrops, crop, gridCrops, largeEnough, randomCrops } from './maniqa-crops.ts';
import { network } from './network.ts';
import type { NetworkMeasure } from './network-measure.ts';
import type { PartName } from './parts.ts';

interface Variant {
  readonly name: string;
  readonly title: string;
  readonly part: PartName;
  /** What Swin layers are multiplied by: as it was trained. */
  readonly scale: number;
  readonly crops: () => ChooseCrops;
}

function maniqaMeasure({ name, title, part, scale, crops }: Variant): NetworkMeasure {
  return {
    name,
    title,
    better: 'higher',
    needsReference: false,
    digits: 4,
    needs: [part],
    start: async ([opened], runner) => {
      const config = maniqaConfig(opened!.shapes, part, { scale });
      const net = network(runner, opened!, (graph, { x }) => {
        const { scores, weights } = maniqaNetwork(scope(graph, ''), x!, config);
        graph.output('scores', scores);
        graph.output('weights', weights);
      });
      const choose = crops();
      return {
        close: () => net.release(),
        async add(result) {
          const picture = largeEnough(toPlanes({ ...result, channels: 3 }, 'signed'));
          const [, height, width] = picture.shape as [number, number, number];
          const total = { scores: 0, weights: 1e-8 };
          for (const corner of choose(height, width)) {
            const { scores, weights } = await net.run({ x: crop(picture, corner) });
            (weights!.data as Float32Array).forEach((weight, i) => {
              total.scores += weight * Number(scores!.data[i]);
              total.weights += weight;
            });
          }
          return total.scores / total.weights;
        },
      };
    },
  };
}

/** As the paper's table has it. Its crops are random: every picture changes those of the next. */
export const maniqa: NetworkMeasure = maniqaMeasure({
  name: 'maniqa',
  title: 'MANIQA',
  part: 'maniqa-pipal',
  scale: 0.13,
  crops: randomCrops,
});

export const maniqaVariants: readonly NetworkMeasure[] = [
  maniqaMeasure({
    name: 'maniqa-grid',
    title: 'MANIQA (grid)',
    part: 'maniqa-pipal',
    scale: 0.13,
    crops: gridCrops,
  }),
  ...(['koniq', 'kadid'] as const).map((set) =>
    maniqaMeasure({
      name: `maniqa-${set}`,
      title: `MANIQA (${set})`,
      part: `maniqa-${set}`,
      scale: 0.8,
      crops: randomCrops,
    }),
  ),
];
