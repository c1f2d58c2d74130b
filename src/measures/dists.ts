/** @file DISTS as a measure (Ding 2020), on the picture itself and VGG16. */
import { dists as distsNetwork } from '../networks/dists.ts';
import type { NetworkMeasure } from './network-measure.ts';
import { featuresKey, pairMeter } from './pair-meter.ts';

export const dists: NetworkMeasure = {
  name: 'dists',
  title: 'DISTS',
  better: 'lower',
  needsReference: true,
  digits: 4,
  needs: ['vgg16', 'dists'],
  start: async ([trunk, own], runner) => {
    const weights = {
      identity: `${trunk!.identity} ${own!.identity}`,
      read: (key: string) =>
        key.startsWith('trunk.') ? trunk!.read(featuresKey(key)) : own!.read(key),
    };
    return pairMeter({ range: 'unit', least: 1, weights, build: distsNetwork }, runner);
  },
};
