/** @file LPIPS as a measure (Zhang 2018): on AlexNet in the paper's table, on VGG16 in its loss. */
import { alexLpips } from '../networks/alex-lpips.ts';
import { lpips as vggLpips } from '../networks/vgg-lpips.ts';
import { lpipsLins } from '../weights/lpips-lins.ts';
import type { NetworkWeights } from './network.ts';
import type { NetworkMeasure } from './network-measure.ts';
import { featuresKey, pairMeter } from './pair-meter.ts';
import type { OpenPart } from './part-store.ts';

const described = { better: 'lower', needsReference: true, digits: 4, range: 'signed' } as const;

export const lpips: NetworkMeasure = {
  ...described,
  name: 'lpips',
  title: 'LPIPS',
  needs: ['alexnet'],
  start: async ([trunk], runner) => {
    const weights = withLins(trunk!, 'alex');
    return pairMeter({ ...described, least: 31, weights, build: alexLpips }, runner);
  },
};

export const lpipsVgg: NetworkMeasure = {
  ...described,
  name: 'lpips-vgg',
  title: 'LPIPS (VGG)',
  needs: ['vgg16'],
  start: async ([trunk], runner) => {
    const weights = withLins(trunk!, 'vgg');
    return pairMeter({ ...described, least: 16, weights, build: vggLpips }, runner);
  },
};

/** The trunk's weights and the linear layers that belong to it. */
function withLins({ read, identity }: OpenPart, trunk: 'alex' | 'vgg'): NetworkWeights {
  const lins = lpipsLins(trunk);
  return { identity, read: async (key) => lins.get(key) ?? (await read(featuresKey(key))) };
}
